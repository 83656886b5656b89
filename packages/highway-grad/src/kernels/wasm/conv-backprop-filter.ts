import type * as tf from '@tensorflow/tfjs-core';
import type { WasmKernel } from './backend.ts';
import { framed, type Geometry, geometryOf } from './conv-geometry.ts';
import { gemm } from './mat-mul.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

/**
 * `Conv2DBackpropFilter`, which wasm lacks.
 *
 * With the input in phases (rows and columns modulo the stride), the pixels that one tap (i, j) of the filter meets are
 * the whole phase, shifted by a fixed number of pixels. So with x as [channels, pixels] and dy as [pixels, outChannels]
 * on the same grid, zero outside, each tap is one matrix product of a view without a copy:
 * a shift that runs over the end of a row of x meets only zeros of dy.
 */
export const conv2dBackpropFilter: WasmKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const dy = inputs.dy!;
  const g = geometryOf(x.shape, attrs.filterShape, attrs);
  return inWorkspace(backend, (ws) => {
    const grid = gridOf(g);
    const pixels = g.batch * grid.height * grid.width;
    const phases = channelsFirstPhases(ws, x, g);
    const d = framed(ws, dy, { height: grid.height, width: grid.width, top: 0, left: 0 });
    const out = ws.make([g.kernelHeight, g.kernelWidth, g.channels, g.outChannels]);
    const size = { m: g.channels, k: pixels, n: g.outChannels };
    const packed = ws.view({ info: d, at: 0 }, pixels * g.outChannels);
    for (const { tap, phase, shift } of taps(g)) {
      const a = { info: phases, at: phase * g.channels * pixels + shift };
      const target = { info: out, at: tap * g.channels * g.outChannels };
      gemm(ws, a, packed, target, size);
    }
    return ws.keep(out);
  });
};

/** The grid of one phase: large enough for every tap of every output pixel. */
export function gridOf(g: Geometry): { height: number; width: number } {
  const reach = (kernel: number, dilation: number, stride: number) =>
    Math.floor(((kernel - 1) * dilation) / stride);
  return {
    height: g.outHeight + reach(g.kernelHeight, g.dilationHeight, g.strideHeight),
    width: g.outWidth + reach(g.kernelWidth, g.dilationWidth, g.strideWidth),
  };
}

/** For each tap of the filter, in row-major order: the phase that it reads, and from which pixel of it on. */
export function taps(g: Geometry): { tap: number; phase: number; shift: number }[] {
  const { width } = gridOf(g);
  return Array.from({ length: g.kernelHeight * g.kernelWidth }, (_, tap) => {
    const y = Math.floor(tap / g.kernelWidth) * g.dilationHeight;
    const x = (tap % g.kernelWidth) * g.dilationWidth;
    return {
      tap,
      phase: (x % g.strideWidth) * g.strideHeight + (y % g.strideHeight),
      shift: Math.floor(y / g.strideHeight) * width + Math.floor(x / g.strideWidth),
    };
  });
}

/** The input, padded, as [phases, pixels of the grid, channels]: phase (column phase)·strideHeight + (row phase). */
export function phasesOf(ws: Workspace, x: tf.TensorInfo, g: Geometry): tf.TensorInfo {
  const grid = gridOf(g);
  const [sh, sw] = [g.strideHeight, g.strideWidth];
  const frame = { height: grid.height * sh, width: grid.width * sw, top: g.top, left: g.left };
  const padded = framed(ws, x, frame);
  const pixels = g.batch * grid.height * grid.width;
  if (sh === 1 && sw === 1) return ws.reshape(padded, [1, pixels, g.channels]);
  // [batch·rows, sh, columns, sw·c] -> [sh, batch·rows, columns, sw·c]
  const rows = ws.run(
    'Transpose',
    { x: ws.reshape(padded, [g.batch * grid.height, sh, grid.width, sw * g.channels]) },
    { perm: [1, 0, 2, 3] },
  );
  // [sh·pixels, sw, c] -> [sw, sh·pixels, c]
  const columns = ws.run(
    'Transpose',
    { x: ws.reshape(rows, [sh * pixels, sw, g.channels]) },
    { perm: [1, 0, 2] },
  );
  return ws.reshape(columns, [sw * sh, pixels, g.channels]);
}

/** `phasesOf` as [phases, channels, pixels], with zeros behind the end for the last row's shifts. */
function channelsFirstPhases(ws: Workspace, x: tf.TensorInfo, g: Geometry): tf.TensorInfo {
  const phases = phasesOf(ws, x, g);
  const [count, pixels, channels] = phases.shape as [number, number, number];
  const slack = Math.max(...taps(g).map(({ shift }) => shift));
  const size = count * channels * pixels;
  const out = ws.make([size + slack]);
  const shape = ws.ints([count, pixels, channels]);
  const perm = ws.ints([0, 2, 1]);
  const mark = ws.viewCount;
  ws.native('Transpose', 7)(ws.id(phases), shape, 3, 0, ws.view({ info: out, at: 0 }, size), perm, 3);
  ws.dropViews(mark);
  ws.floats(out).fill(0, size);
  return out;
}
