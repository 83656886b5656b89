import * as tf from '@tensorflow/tfjs-core';
import type { WasmKernel } from './backend.ts';
import { inWorkspace } from './workspace.ts';

type PoolInfo = ReturnType<typeof tf.backend_util.computePool2DInfo>;

/**
 * `MaxPoolGrad`: wasm's own one starts from the smallest positive float, so windows whose maximum is not positive get
 * no gradient. The first maximum of a window gets it, as on cpu.
 */
export const maxPoolGrad: WasmKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.input!;
  const info = poolInfo(x.shape, attrs);
  return inWorkspace(backend, (ws) => {
    const out = ws.make(x.shape);
    const gradient = ws.floats(out).fill(0);
    const dy = ws.floats(inputs.dy!);
    eachMaximum(ws.floats(x), info, (to, from) => {
      gradient[from]! += dy[to]!;
    });
    return ws.keep(out);
  });
};

/** `MaxPoolWithArgmax`: wrong on wasm in the same way. */
export const maxPoolWithArgmax: WasmKernel = ({ inputs, attrs, backend }) => {
  const x = inputs.x!;
  const info = poolInfo(x.shape, attrs);
  const image = info.inHeight * info.inWidth * info.inChannels;
  return inWorkspace(backend, (ws) => {
    const pooled = ws.make(info.outShape, x.dtype);
    const indexes = ws.make(info.outShape, 'int32');
    const numbers = x.dtype === 'int32' ? ws.int32s.bind(ws) : ws.floats.bind(ws);
    const [from, to, at] = [numbers(x), numbers(pooled).fill(0), ws.int32s(indexes).fill(0)];
    eachMaximum(from, info, (target, source) => {
      to[target] = from[source]!;
      at[target] = attrs.includeBatchInIndex ? source : source % image;
    });
    return [ws.keep(pooled), ws.keep(indexes)];
  });
};

function poolInfo(
  shape: number[],
  attrs: { filterSize: number; strides: number; pad: 'valid' | 'same' | number; dimRoundingMode?: 'floor' },
): PoolInfo {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const x = shape as [number, number, number, number];
  return tf.backend_util.computePool2DInfo(x, filterSize, strides, 1, pad, dimRoundingMode);
}

/** Calls `fn(position in the output, position of the window's first maximum in the input)` for each output element. */
function eachMaximum(
  x: ArrayLike<number>,
  info: PoolInfo,
  fn: (target: number, source: number) => void,
): void {
  const { batchSize, inHeight, inWidth, inChannels: channels, outHeight, outWidth } = info;
  let target = 0;
  for (let b = 0; b < batchSize; b++) {
    for (let row = 0; row < outHeight; row++) {
      const [top, bottom] = span(row * info.strideHeight - info.padInfo.top, info.filterHeight, inHeight);
      for (let column = 0; column < outWidth; column++) {
        const start = column * info.strideWidth - info.padInfo.left;
        const [left, right] = span(start, info.filterWidth, inWidth);
        for (let c = 0; c < channels; c++, target++) {
          let [best, place] = [0, -1];
          for (let y = top; y < bottom; y++) {
            let at = ((b * inHeight + y) * inWidth + left) * channels + c;
            for (let k = left; k < right; k++, at += channels) {
              if (place >= 0 && !(x[at]! > best)) continue;
              best = x[at]!;
              place = at;
            }
          }
          if (place >= 0) fn(target, place);
        }
      }
    }
  }
}

/** The part of a window that lies within the input. */
function span(start: number, length: number, size: number): [number, number] {
  return [Math.max(0, start), Math.min(size, start + length)];
}
