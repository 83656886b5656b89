import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from './errors.ts';
import { runPrivate } from './kernels/private.ts';
import { type AxisMatrix, transposed } from './sampling.ts';

/**
 * Resamples both axes of an image, each by a matrix:
 * `out[b, i, j, c] = Σ_y Σ_x rows[i, y] · columns[j, x] · image[b, y, x, c]`.
 *
 * Every linear resizing and every average pooling is of this form. The gradient is hand-written and the same operation
 * with both matrices transposed; only the matrices are kept for it. They are constants and get no gradient.
 *
 * @param x Images, NHWC [batch, h, w, C].
 * @param rows Shape [h', h].
 * @param columns Shape [w', w].
 * @returns Shape [batch, h', w', C].
 * @throws {@link ShapeError} if a matrix does not fit the image.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { separable } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const image = tf.ones<tf.Rank.R4>([1, 4, 6, 3]);
 * const mean = (n: number) => tf.fill<tf.Rank.R2>([1, n], 1 / n);
 * console.log(separable(image, mean(4), mean(6)).shape); // [1, 1, 1, 3]
 * ```
 */
export function separable(x: tf.Tensor4D, rows: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor4D {
  const [, h, w] = x.shape;
  if (rows.shape[1] !== h || columns.shape[1] !== w) {
    throw new ShapeError({
      what: 'separable: the matrices do not fit the image',
      expected: `rows [h', ${h}] and columns [w', ${w}] for an image of shape [${x.shape}]`,
      received: `rows [${rows.shape}] and columns [${columns.shape}]`,
    });
  }
  const op = tf.customGrad((x, save) => {
    (save as tf.GradSaveFunc)([rows, columns]);
    return {
      value: applySeparable(x as tf.Tensor4D, rows, columns),
      gradFunc: (dy: tf.Tensor, [rows, columns]: tf.Tensor[]) =>
        tf.tidy(() =>
          applySeparable(
            dy as tf.Tensor4D,
            tf.transpose(rows as tf.Tensor2D),
            tf.transpose(columns as tf.Tensor2D),
          ),
        ),
    };
  });
  return op(x) as tf.Tensor4D;
}

/** `separable` with matrices made from numbers, and nothing kept for the gradient. */
export function resample(x: tf.Tensor4D, rows: AxisMatrix, columns: AxisMatrix): tf.Tensor4D {
  const op = tf.customGrad((x) => ({
    value: applyMatrices(x as tf.Tensor4D, rows, columns),
    gradFunc: (dy: tf.Tensor) => applyMatrices(dy as tf.Tensor4D, transposed(rows), transposed(columns)),
  }));
  return op(x) as tf.Tensor4D;
}

/** `applySeparable` with matrices made from numbers. */
export function applyMatrices(x: tf.Tensor4D, rows: AxisMatrix, columns: AxisMatrix): tf.Tensor4D {
  const matrix = ({ to, from, data }: AxisMatrix) => tf.tensor2d(data, [to, from]);
  return tf.tidy(() => applySeparable(x, matrix(rows), matrix(columns)));
}

/** The forward of {@link separable}; not differentiable. */
function applySeparable(x: tf.Tensor4D, rows: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor4D {
  return tf.tidy(() => {
    const native = runPrivate('E3vaSeparable', { x, rows, columns });
    if (native) return native as tf.Tensor4D;
    const [batch, h, w, channels] = x.shape;
    const [outH, outW] = [rows.shape[0], columns.shape[0]];
    // [h', h]·[batch, h, w·C], then [w', w]·[batch·h', w, C]
    const high = tf.matMul(tf.expandDims(rows, 0), tf.reshape(x, [batch, h, w * channels]));
    const wide = tf.matMul(tf.expandDims(columns, 0), tf.reshape(high, [batch * outH, w, channels]));
    return tf.reshape(wide, [batch, outH, outW, channels]) as tf.Tensor4D;
  });
}
