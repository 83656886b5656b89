import * as tf from '@tensorflow/tfjs-core';
import { SegmentationOptionsError } from './errors.ts';
import { checkLabelRange, checkLabelShape } from './labels.ts';

/** Options of {@link softmaxCrossEntropy}. */
export interface CrossEntropyOptions {
  /** Label of the pixels that have no part in the loss; 255 by default. */
  ignoreIndex?: number;
  /** One factor a class (PyTorch's `weight`); all 1 by default. */
  classWeights?: readonly number[];
  /**
   * What the sum over the pixels is divided by. `'kept'` (default): the sum of the class weights of the pixels that
   * are not ignored, as in PyTorch and Hugging Face. `'all'`: the number of all pixels, as mmsegmentation does
   * by default (`avg_non_ignore=False`).
   */
  average?: 'kept' | 'all';
  /** Whether to check that the labels are in range, which reads them; true by default. */
  checkLabels?: boolean;
}

/**
 * The mean cross-entropy −log softmax(z)ᵧ of pixels, as one operation with a hand-written gradient.
 *
 * Between forward and backward it holds the probabilities, of the size of the logits, and the labels. It is stable for
 * logits of any size. If every pixel is ignored the loss and its gradient are 0.
 *
 * @param logits Shape [batch, height, width, classes].
 * @param labels int32, shape [batch, height, width]; no gradient goes to them.
 * @returns A scalar.
 * @throws {@link LabelRangeError} if a label is neither a class nor `ignoreIndex`. The check reads the labels, once a
 *   tensor; where a GPU computed them the read waits for it, and `checkLabels: false` saves that.
 * @throws {@link ShapeError} if the labels are not int32 or not of the logits' batch, height and width.
 * @throws {@link SegmentationOptionsError} if `classWeights` has another length than the classes.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { softmaxCrossEntropy } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * const logits = tf.zeros<tf.Rank.R4>([1, 2, 2, 3]);
 * const labels = tf.tensor3d([0, 1, 2, 255], [1, 2, 2], 'int32');
 * console.log(softmaxCrossEntropy(logits, labels).dataSync()[0]); // log 3 = 1.0986
 * ```
 */
export function softmaxCrossEntropy(
  logits: tf.Tensor4D,
  labels: tf.Tensor3D,
  options: CrossEntropyOptions = {},
): tf.Scalar {
  const { ignoreIndex = 255, checkLabels = true } = options;
  const classes = logits.shape[3];
  checkLabelShape(labels, logits.shape.slice(0, 3));
  checkClassWeights(options.classWeights, classes);
  if (checkLabels) checkLabelRange(labels, classes, ignoreIndex);
  const op = tf.customGrad((input, save) => {
    const z = input as tf.Tensor4D;
    const [loss, probabilities] = tf.tidy(() => {
      const rows = tf.reshape(z, [-1, classes]); // [pixels, classes]
      const p = tf.softmax(rows);
      const { oneHot, factors } = pixelFactors(labels, classes, options);
      return [tf.sum(tf.mul(negativeLogLikelihood(rows, p, oneHot), factors)), p];
    }) as [tf.Scalar, tf.Tensor2D];
    (save as tf.GradSaveFunc)([probabilities, labels]);
    return {
      value: loss,
      gradFunc: (dy: tf.Tensor, [p, labels]: tf.Tensor[]) =>
        tf.tidy(() => {
          const { oneHot, factors } = pixelFactors(labels!, classes, options);
          const scale = tf.reshape(tf.mul(factors, dy), [-1, 1]);
          return tf.reshape(tf.mul(tf.sub(p!, oneHot), scale), z.shape); // (softmax − one-hot) · factor
        }),
    };
  });
  return op(logits) as tf.Scalar;
}

/**
 * −log softmax(z)ᵧ of each row, without the exponentials' overflow: from the row's largest logit m and its probability p_m,
 * it is (m − zᵧ) − log p_m, where p_m ≥ 1 / classes.
 */
function negativeLogLikelihood(z: tf.Tensor, p: tf.Tensor, oneHot: tf.Tensor): tf.Tensor {
  // selected, not multiplied: 0 times an infinite logit of another class would not be 0
  const own = tf.sum(tf.where(tf.cast(oneHot, 'bool'), z, tf.zerosLike(z)), 1);
  return tf.sub(tf.sub(tf.max(z, 1), own), tf.log(tf.max(p, 1)));
}

/** Each pixel's label as a one-hot row (class 0's where ignored) and its factor in the loss, [pixels]. */
function pixelFactors(labels: tf.Tensor, classes: number, options: CrossEntropyOptions) {
  const { ignoreIndex = 255, classWeights, average = 'kept' } = options;
  const flat = tf.reshape(labels, [-1]);
  const kept = tf.cast(tf.notEqual(flat, tf.scalar(ignoreIndex, 'int32')), 'int32');
  // int32 first: wasm's one-hot writes integers whatever type it is asked for
  const oneHot = tf.cast(tf.oneHot(tf.mul(flat, kept) as tf.Tensor1D, classes), 'float32');
  // a matrix product is the fast way to look the weights up
  const own =
    classWeights && tf.reshape(tf.matMul(oneHot, tf.tensor2d([...classWeights], [classes, 1])), [-1]);
  const weights = own ? tf.mul(own, kept) : tf.cast(kept, 'float32');
  const total = average === 'all' ? tf.scalar(flat.size) : tf.sum(weights);
  return { oneHot, factors: tf.divNoNan(weights, total) };
}

function checkClassWeights(weights: readonly number[] | undefined, classes: number): void {
  if (!weights || (weights.length === classes && weights.every((w) => w >= 0 && Number.isFinite(w)))) return;
  throw new SegmentationOptionsError({
    what: 'classWeights does not fit the classes',
    expected: `${classes} finite numbers of at least 0`,
    received: `${weights.length}: ${weights.join(', ')}`,
  });
}
