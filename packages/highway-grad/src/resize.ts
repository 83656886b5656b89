import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from './errors.ts';

/**
 * A linear map of the rows and one of the columns of every image of a batch:
 * `y[b, i, j, c] = Σ rows[i, h] · columns[j, w] · x[b, h, w, c]`, with a hand-written gradient that keeps the two
 * matrices alone. Each axis is one matrix product of rank 2, the form that every backend runs fast.
 *
 * @param x Shape [batch, h, w, channels].
 * @param rows Shape [h', h]; a constant.
 * @param columns Shape [w', w]; a constant.
 * @returns Shape [batch, h', w', channels].
 * @throws {@link ShapeError} if a matrix does not fit the image.
 */
export function separable(x: tf.Tensor4D, rows: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor4D {
  if (rows.shape[1] !== x.shape[1] || columns.shape[1] !== x.shape[2]) {
    throw new ShapeError({
      what: 'separable: the matrices do not fit the image',
      expected: `rows [h', ${x.shape[1]}] and columns [w', ${x.shape[2]}] for an image of shape [${x.shape}]`,
      received: `rows [${rows.shape}] and columns [${columns.shape}]`,
    });
  }
  const op = tf.customGrad((input, save) => {
    (save as tf.GradSaveFunc)([rows, columns]);
    return {
      value: apply(input as tf.Tensor4D, rows, columns),
      gradFunc: (dy: tf.Tensor, [rows, columns]: tf.Tensor[]) =>
        tf.tidy(() =>
          apply(dy as tf.Tensor4D, tf.transpose(rows as tf.Tensor2D), tf.transpose(columns as tf.Tensor2D)),
        ),
    };
  });
  return op(x) as tf.Tensor4D;
}

/** Both products; the axis that shrinks goes first, so that the other one has less to do. */
function apply(x: tf.Tensor4D, rows: tf.Tensor2D, columns: tf.Tensor2D): tf.Tensor4D {
  const [b, h, w, c] = x.shape;
  const [h2, w2] = [rows.shape[0], columns.shape[0]];
  return tf.tidy(() => {
    if (h2 * w <= h * w2) {
      // [h, b, w, c] -> [h2, b, w, c] -> [w, b, h2, c] -> [w2, b, h2, c]
      const t = tf.matMul(rows, tf.reshape(tf.transpose(x, [1, 0, 2, 3]), [h, b * w * c]));
      const u = tf.transpose(tf.reshape(t, [h2, b, w, c]), [2, 1, 0, 3]);
      const v = tf.matMul(columns, tf.reshape(u, [w, b * h2 * c]));
      return tf.transpose(tf.reshape(v, [w2, b, h2, c]), [1, 2, 0, 3]);
    }
    const t = tf.matMul(columns, tf.reshape(tf.transpose(x, [2, 0, 1, 3]), [w, b * h * c]));
    const u = tf.transpose(tf.reshape(t, [w2, b, h, c]), [2, 1, 0, 3]);
    const v = tf.matMul(rows, tf.reshape(u, [h, b * w2 * c]));
    return tf.transpose(tf.reshape(v, [h2, b, w2, c]), [1, 0, 2, 3]);
  });
}

/**
 * Bilinear resizing without antialiasing, with a right gradient on every backend (tfjs' own one is wrong with
 * half-pixel centres, and throws on some backends).
 *
 * Equal to `torch.nn.functional.interpolate(mode='bilinear')`.
 *
 * @param x Shape [batch, height, width, channels].
 * @param size New height and width in pixels.
 * @param alignCorners Whether the corner pixels' centres stay; by default, half-pixel centres as in PyTorch.
 * @returns Shape [batch, size[0], size[1], channels].
 * @throws {@link ShapeError} if a size is no positive whole number.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { resizeBilinear } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * console.log(resizeBilinear(tf.ones([1, 4, 5, 3]), [8, 10]).shape); // [1, 8, 10, 3]
 * ```
 */
export function resizeBilinear(x: tf.Tensor4D, size: [number, number], alignCorners = false): tf.Tensor4D {
  checkSize('resizeBilinear', size);
  return resample(x, size, (from, to) => bilinearMatrix(from, to, alignCorners));
}

/**
 * Averages over a grid of `size` cells that cover the image; cells overlap where the size does not divide the image,
 * and repeat pixels where the grid is finer than the image.
 *
 * Equal to `torch.nn.functional.adaptive_avg_pool2d`.
 *
 * @param x Shape [batch, height, width, channels].
 * @param size Number of cells down and across.
 * @returns Shape [batch, size[0], size[1], channels].
 * @throws {@link ShapeError} if a size is no positive whole number.
 */
export function adaptiveAveragePool(x: tf.Tensor4D, size: [number, number]): tf.Tensor4D {
  checkSize('adaptiveAveragePool', size);
  return resample(x, size, poolingMatrix);
}

function resample(
  x: tf.Tensor4D,
  [height, width]: [number, number],
  matrix: (from: number, to: number) => tf.Tensor2D,
) {
  if (x.shape[1] === height && x.shape[2] === width) return tf.clone(x);
  return tf.tidy(() => separable(x, matrix(x.shape[1], height), matrix(x.shape[2], width)));
}

/** Row i holds the weights of the `from` pixels in pixel i of the result. */
function bilinearMatrix(from: number, to: number, alignCorners: boolean): tf.Tensor2D {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = alignCorners
      ? to > 1
        ? (i * (from - 1)) / (to - 1)
        : 0
      : Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(at), from - 1);
    const high = Math.min(low + 1, from - 1);
    const share = at - low;
    weights[i * from + low]! += 1 - share;
    weights[i * from + high]! += share;
  }
  return tf.tensor2d(weights, [to, from]);
}

function poolingMatrix(from: number, to: number): tf.Tensor2D {
  const weights = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const [start, end] = [Math.floor((i * from) / to), Math.ceil(((i + 1) * from) / to)];
    weights.fill(1 / (end - start), i * from + start, i * from + end);
  }
  return tf.tensor2d(weights, [to, from]);
}

function checkSize(op: string, size: [number, number]): void {
  if (size.every((n) => Number.isInteger(n) && n > 0)) return;
  throw new ShapeError({ what: `${op}: the new size must be positive whole numbers`, received: `[${size}]` });
}
