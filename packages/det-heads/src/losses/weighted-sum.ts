import * as tf from '@tensorflow/tfjs-core';

/** What a loss over rows needs to be one operation. */
interface RowLoss {
  /** The loss of each entry of the predictions, or of each row: [rows, …]. */
  value(predictions: tf.Tensor, targets: tf.Tensor): tf.Tensor;
  /** The derivative of {@link RowLoss.value} by the predictions, in their shape. */
  slope(predictions: tf.Tensor, targets: tf.Tensor): tf.Tensor;
}

/**
 * The sum of a loss over rows, each times its weight, as one operation that keeps predictions, targets and weights alone for
 * its gradient. Only the predictions get one.
 *
 * @param predictions Shape [rows, …].
 * @param weights Shape [rows]; 1 each if left out.
 */
export function weightedSum(
  predictions: tf.Tensor,
  targets: tf.Tensor,
  weights: tf.Tensor1D | undefined,
  { value, slope }: RowLoss,
): tf.Scalar {
  const weighted = (t: tf.Tensor, weights: tf.Tensor | undefined) =>
    weights ? tf.mul(t, tf.reshape(weights, [-1, ...new Array<number>(t.rank - 1).fill(1)])) : t;
  const op = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    (save as tf.GradSaveFunc)(weights ? [x, targets, weights] : [x, targets]);
    return {
      value: tf.tidy(() => total(weighted(value(x, targets), weights))),
      gradFunc: (dy: tf.Tensor, [x, targets, weights]: tf.Tensor[]) =>
        tf.tidy(() => tf.mul(weighted(slope(x!, targets!), weights), dy)),
    };
  });
  return op(predictions) as tf.Scalar;
}

/**
 * The sum of all elements. In columns first: the wasm backend adds a whole tensor up one after the other, which for the
 * logits of a pyramid loses the fourth digit.
 */
function total(x: tf.Tensor): tf.Scalar {
  const columns = 64;
  if (x.size <= columns) return tf.sum(x);
  return tf.tidy(() => {
    const rows = Math.ceil(x.size / columns);
    const padded = tf.pad(tf.reshape(x, [-1]), [[0, rows * columns - x.size]]);
    return tf.sum(tf.sum(tf.reshape(padded, [rows, columns]), 0));
  });
}

/** Rows of zeros with a 1 at their label, of zeros alone where the label is no class: float32 [rows, classes]. */
export function oneHot(labels: tf.Tensor, classes: number): tf.Tensor2D {
  return tf.tidy(() => {
    if (classes === 1) return tf.cast(tf.expandDims(tf.equal(labels, tf.scalar(0, 'int32')), 1), 'float32'); // tf.oneHot throws
    const shifted = tf.add(labels, tf.scalar(1, 'int32'));
    const isClass = tf.cast(tf.less(labels, tf.scalar(classes, 'int32')), 'int32');
    const index = tf.sub(tf.mul(shifted, isClass), tf.scalar(1, 'int32')) as tf.Tensor1D; // −1 for none
    // int32 first: wasm's one-hot writes integers whatever type it is asked for
    return tf.cast(tf.oneHot(index, classes), 'float32') as tf.Tensor2D;
  });
}

/** log(1 + eˣ), without overflow. */
export function softplus(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x))))));
}
