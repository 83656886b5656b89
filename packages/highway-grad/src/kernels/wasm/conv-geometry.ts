import * as tf from '@tensorflow/tfjs-core';
import { E3vaError } from '../../errors.ts';
import { stridesOf } from './backend.ts';
import { stridedCopy } from './strided-copy.ts';
import type { Workspace } from './workspace.ts';

/** The sizes of a 2-D convolution, NHWC. */
export interface Geometry {
  batch: number;
  /** Of the input. */
  height: number;
  width: number;
  channels: number;
  /** Of the output. */
  outHeight: number;
  outWidth: number;
  outChannels: number;
  kernelHeight: number;
  kernelWidth: number;
  strideHeight: number;
  strideWidth: number;
  dilationHeight: number;
  dilationWidth: number;
  top: number;
  left: number;
}

interface ConvAttributes {
  strides: [number, number] | number;
  pad: 'valid' | 'same' | number | tf.backend_util.ExplicitPadding;
  dilations?: [number, number] | number;
  dimRoundingMode?: 'floor' | 'round' | 'ceil';
  dataFormat?: string;
}

/** @throws {@link E3vaError} for channels first, which wasm's convolutions do not know either. */
export function geometryOf(
  xShape: number[],
  filterShape: number[],
  { strides, pad, dilations, dimRoundingMode, dataFormat }: ConvAttributes,
  depthwise = false,
): Geometry {
  if (dataFormat !== undefined && dataFormat !== 'NHWC') {
    throw new E3vaError({
      what: 'the wasm convolution gradients know one data format',
      expected: 'NHWC',
      received: dataFormat,
      fix: 'transpose the input to channels last',
    });
  }
  const info = tf.backend_util.computeConv2DInfo(
    xShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
  );
  return {
    batch: info.batchSize,
    height: info.inHeight,
    width: info.inWidth,
    channels: info.inChannels,
    outHeight: info.outHeight,
    outWidth: info.outWidth,
    outChannels: info.outChannels,
    kernelHeight: info.filterHeight,
    kernelWidth: info.filterWidth,
    strideHeight: info.strideHeight,
    strideWidth: info.strideWidth,
    dilationHeight: info.dilationHeight,
    dilationWidth: info.dilationWidth,
    top: info.padInfo.top,
    left: info.padInfo.left,
  };
}

/** The rows and columns of an image are moved to here in a frame of another size. */
export interface Frame {
  height: number;
  width: number;
  /** Where the image's first row and column lie; negative cuts. */
  top: number;
  left: number;
  /** The distance between the image's rows (columns) in the frame. */
  stepHeight?: number;
  stepWidth?: number;
}

/**
 * Puts an image [batch, h, w, c] into a zero frame [batch, frame.height, frame.width, c]: pads, crops, or spreads it.
 */
export function framed(ws: Workspace, x: tf.TensorInfo, frame: Frame): tf.TensorInfo {
  const [batch, h, w, c] = x.shape as [number, number, number, number];
  const { height, width, top, left, stepHeight = 1, stepWidth = 1 } = frame;
  if (height === h && width === w && top === 0 && left === 0) return x;
  const out = ws.make([batch, height, width, c], x.dtype);
  ws.floats(out).fill(0);
  const rows = visible(h, height, top, stepHeight);
  const columns = visible(w, width, left, stepWidth);
  if (rows.count === 0 || columns.count === 0) return out;
  const from = stridesOf(x.shape);
  const to = stridesOf(out.shape);
  const step = [to[0]!, stepHeight * to[1]!, stepWidth * to[2]!, 1];
  const source = { info: x, at: rows.first * from[1]! + columns.first * from[2]!, strides: from };
  const target = {
    info: out,
    at: (top + rows.first * stepHeight) * to[1]! + (left + columns.first * stepWidth) * to[2]!,
    strides: step,
  };
  stridedCopy(ws.backend, [batch, rows.count, columns.count, c], source, target);
  return out;
}

/** Which of `size` rows fall into a frame of `frame` rows. */
function visible(size: number, frame: number, first: number, step: number) {
  const from = Math.max(0, Math.ceil(-first / step));
  const to = Math.min(size, Math.ceil((frame - first) / step));
  return { first: from, count: Math.max(0, to - from) };
}
