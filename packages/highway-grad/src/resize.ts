import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from './errors.ts';
import { adaptiveMatrix, linearMatrix, transposed } from './sampling.ts';
import { applyMatrices, resample } from './separable.ts';

export { separable } from './separable.ts';

/**
 * Bilinear resizing with half-pixel centres and a right gradient on every backend (tfjs's own gradient is wrong there
 * with half-pixel centres, and on cpu throws for non-square images). Nothing is kept for the backward pass.
 *
 * Equal to PyTorch's `interpolate(mode='bilinear', antialias=False)` for both values of `alignCorners`.
 *
 * @param x Images, NHWC [batch, h, w, C].
 * @param size Target height and width.
 * @param alignCorners Whether the centres of the corner pixels coincide; otherwise the outer edges do.
 * @returns Shape [batch, ...size, C].
 * @throws {@link ShapeError} if `x` is not of rank 4 or a size is not a positive integer.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { resizeBilinear } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const image = tf.tensor4d([0, 1], [1, 1, 2, 1]);
 * console.log(resizeBilinear(image, [1, 4]).dataSync()); // 0, 0.25, 0.75, 1
 * ```
 */
export function resizeBilinear(x: tf.Tensor4D, size: [number, number], alignCorners = false): tf.Tensor4D {
  check('resizeBilinear', x, size);
  const matrix = (axis: 0 | 1) => linearMatrix(size[axis], x.shape[1 + axis]!, alignCorners, !alignCorners);
  const op = tf.customGrad((x) => ({
    // the forward kernels are right, and faster than two matrix products
    value: tf.image.resizeBilinear(x as tf.Tensor4D, size, alignCorners, !alignCorners),
    gradFunc: (dy: tf.Tensor) =>
      applyMatrices(dy as tf.Tensor4D, transposed(matrix(0)), transposed(matrix(1))),
  }));
  return op(x) as tf.Tensor4D;
}

/**
 * Adaptive average pooling: output row i is the mean of input rows floor(i·h/h') to ceil((i+1)·h/h') - 1, and so for
 * columns. Works upwards as well, repeating inputs. Nothing is kept for the backward pass.
 *
 * Equal to PyTorch's `adaptive_avg_pool2d`.
 *
 * @param x Images, NHWC [batch, h, w, C].
 * @param size Target height and width.
 * @returns Shape [batch, ...size, C].
 * @throws {@link ShapeError} if `x` is not of rank 4 or a size is not a positive integer.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adaptiveAveragePool } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * console.log(adaptiveAveragePool(tf.ones<tf.Rank.R4>([1, 7, 5, 2]), [3, 3]).shape); // [1, 3, 3, 2]
 * ```
 */
export function adaptiveAveragePool(x: tf.Tensor4D, size: [number, number]): tf.Tensor4D {
  check('adaptiveAveragePool', x, size);
  return resample(x, adaptiveMatrix(size[0], x.shape[1]), adaptiveMatrix(size[1], x.shape[2]));
}

function check(op: string, x: tf.Tensor, size: readonly number[]): void {
  const positive = size.length === 2 && size.every((n) => Number.isInteger(n) && n > 0);
  if (x.rank === 4 && positive && x.size > 0) return;
  throw new ShapeError({
    what: `${op}: needs images of rank 4 and a target height and width`,
    expected: 'images [batch, h, w, C] and [height, width] of positive integers',
    received: `images [${x.shape}] and [${size}]`,
  });
}
