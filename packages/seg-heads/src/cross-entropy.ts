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
 * @throws ShapeError if the labels are not int32 or not of the logits' batch, height and width.
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
    const z = tf.reshape(input as tf.Tensor4D, [-1, classes]); // [pixels, classes]
    const own = ownLogits(z, labels, ignoreIndex);
    const p = tf.softmax(z);
    const value = tf.tidy(() => {
      // −log softmax(z)ᵧ = (m − zᵧ) − log pₘ for the row's largest logit m, whose pₘ is at least 1 / classes
      const losses = tf.sub(tf.sub(tf.max(z, 1), own), tf.log(tf.max(p, 1)));
      return tf.sum(tf.mul(losses, pixelFactors(labels, classes, options)));
    });
    (save as tf.GradSaveFunc)([p, labels]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, [p, labels]: tf.Tensor[]) =>
        tf.tidy(() => {
          const difference = tf.tidy(() => tf.sub(p!, oneHot(labels!, classes, ignoreIndex)));
          const factors = tf.mul(pixelFactors(labels!, classes, options), dy);
          return tf.reshape(tf.mul(difference, tf.reshape(factors, [-1, 1])), logits.shape);
        }),
    };
  });
  return op(logits) as tf.Scalar;
}

/** The logit of each pixel's own class, 0 where it is ignored: [pixels]. */
function ownLogits(z: tf.Tensor, labels: tf.Tensor, ignoreIndex: number): tf.Tensor {
  return tf.tidy(() => {
    const isOwn = tf.tidy(() => tf.cast(oneHot(labels, z.shape[1]!, ignoreIndex), 'bool'));
    // selected, not multiplied: 0 times an infinite logit of another class would not be 0
    return tf.sum(tf.where(isOwn, z, tf.zerosLike(z)), 1);
  });
}

/** Each pixel's factor in the loss, [pixels]: its class's weight over the total, 0 where ignored. */
function pixelFactors(labels: tf.Tensor, classes: number, options: CrossEntropyOptions): tf.Tensor {
  const { ignoreIndex = 255, classWeights, average = 'kept' } = options;
  return tf.tidy(() => {
    // a matrix product is the fast way to look the weights up; 0 where ignored
    const weights = classWeights
      ? tf.matMul(oneHot(labels, classes, ignoreIndex), tf.tensor2d([...classWeights], [classes, 1]))
      : tf.cast(isKept(labels, ignoreIndex), 'float32');
    return tf.divNoNan(tf.reshape(weights, [-1]), average === 'all' ? labels.size : tf.sum(weights));
  });
}

/** The label of each pixel as a row, of zeros where it is ignored: [pixels, classes]. */
function oneHot(labels: tf.Tensor, classes: number, ignoreIndex: number): tf.Tensor2D {
  return tf.tidy(() => {
    const next = tf.mul(tf.add(tf.reshape(labels, [-1]), tf.scalar(1, 'int32')), isKept(labels, ignoreIndex));
    const index = tf.sub(next, tf.scalar(1, 'int32')) as tf.Tensor1D; // −1 where ignored
    // int32 first: wasm's one-hot writes integers whatever type it is asked for
    return tf.cast(tf.oneHot(index, classes), 'float32') as tf.Tensor2D;
  });
}

/** 1 where a pixel counts, 0 where it is ignored: int32 [pixels]. */
function isKept(labels: tf.Tensor, ignoreIndex: number): tf.Tensor {
  return tf.tidy(() =>
    tf.cast(tf.notEqual(tf.reshape(labels, [-1]), tf.scalar(ignoreIndex, 'int32')), 'int32'),
  );
}

function checkClassWeights(weights: readonly number[] | undefined, classes: number): void {
  if (!weights || (weights.length === classes && weights.every((w) => w >= 0 && Number.isFinite(w)))) return;
  throw new SegmentationOptionsError({
    what: 'classWeights does not fit the classes',
    expected: `${classes} finite numbers of at least 0`,
    received: `${weights.length}: ${weights.join(', ')}`,
  });
}
