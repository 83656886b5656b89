import * as tf from '@tensorflow/tfjs-core';
import { linearMatrix, nearestMatrix, transposed, windowMatrix } from '../sampling.ts';
import { applyMatrices } from '../separable.ts';

/** A gradient kernel of plain operations, for any backend. */
type GradientKernel = (
  inputs: Record<string, tf.Tensor4D>,
  // attributes differ from kernel to kernel; each one reads its own
  // biome-ignore lint/suspicious/noExplicitAny: see above
  attrs: any,
) => tf.Tensor;

/** `ResizeBilinearGrad`: tfjs's one ignores half-pixel centres, and on cpu throws for non-square images. */
export const resizeBilinearGrad: GradientKernel = ({ dy, images }, attrs) =>
  resizeGrad(dy!, images!, (to, from) => linearMatrix(to, from, attrs.alignCorners, attrs.halfPixelCenters));

/** `ResizeNearestNeighborGrad`: tfjs's one ignores half-pixel centres, and on cpu is wrong for more than one image. */
export const resizeNearestNeighborGrad: GradientKernel = ({ dy, images }, attrs) =>
  resizeGrad(dy!, images!, (to, from) => nearestMatrix(to, from, attrs.alignCorners, attrs.halfPixelCenters));

function resizeGrad(
  dy: tf.Tensor4D,
  images: tf.Tensor4D,
  matrix: (to: number, from: number) => ReturnType<typeof linearMatrix>,
): tf.Tensor {
  const axis = (i: 1 | 2) => transposed(matrix(dy.shape[i], images.shape[i]));
  return applyMatrices(dy, axis(1), axis(2));
}

/**
 * `AvgPoolGrad`: tfjs's one divides by the size of the whole window at the borders as well, where the forward divides by
 * the number of inputs in it.
 */
export const avgPoolGrad: GradientKernel = ({ dy, input }, attrs) => {
  const { filterSize, strides, pad, dimRoundingMode } = attrs;
  const info = tf.backend_util.computePool2DInfo(input!.shape, filterSize, strides, 1, pad, dimRoundingMode);
  const { outHeight, outWidth, inHeight, inWidth, padInfo } = info;
  const rows = windowMatrix(outHeight, inHeight, info.filterHeight, info.strideHeight, padInfo.top);
  const columns = windowMatrix(outWidth, inWidth, info.filterWidth, info.strideWidth, padInfo.left);
  return applyMatrices(dy!, transposed(rows), transposed(columns));
};

/** The gradient of `MirrorPad`: tfjs's one forgets the mirrored parts, on every backend. */
export const mirrorPadGradient: tf.GradConfig = {
  kernelName: 'MirrorPad',
  inputsToSave: ['x'],
  gradFunc: (dy, [x], attrs) => {
    const { paddings, mode } = attrs as unknown as { paddings: [number, number][]; mode: string };
    return {
      x: () => tf.tidy(() => unmirrored(dy as tf.Tensor, x!.shape, paddings, mode === 'reflect' ? 1 : 0)),
    };
  },
};

/** Adds every mirrored border to its origin, axis by axis; `skip` is 1 where the mirror lies on the edge pixels. */
function unmirrored(
  dy: tf.Tensor,
  shape: number[],
  paddings: readonly [number, number][],
  skip: number,
): tf.Tensor {
  let d = dy;
  for (const [axis, [before, after]] of paddings.entries()) {
    const size = shape[axis]!;
    const cut = (from: number, count: number) => {
      const begin = d.shape.map((_, i) => (i === axis ? from : 0));
      return tf.slice(
        d,
        begin,
        d.shape.map((n, i) => (i === axis ? count : n)),
      );
    };
    const place = (border: tf.Tensor, at: number) => {
      const rest = size - at - border.shape[axis]!;
      const pads = d.shape.map((_, i): [number, number] => (i === axis ? [at, rest] : [0, 0]));
      return tf.pad(tf.reverse(border, axis), pads);
    };
    const parts = [cut(before, size)];
    if (before > 0) parts.push(place(cut(0, before), skip));
    if (after > 0) parts.push(place(cut(before + size, after), size - skip - after));
    d = tf.addN(parts);
  }
  return d;
}

/** Wraps a gradient kernel for a backend's registry. */
export const asKernelFunc =
  (kernel: GradientKernel): tf.KernelFunc =>
  ({ inputs, attrs }) =>
    // a kernel may return a tensor as well as a tensor's description
    tf.tidy(() =>
      kernel(inputs as unknown as Record<string, tf.Tensor4D>, attrs),
    ) as unknown as tf.TensorInfo;
