import { ClassCountError, ClassIndexError, LengthMismatchError } from './errors.ts';
import { mergeCounts } from './merge-counts.ts';
import { type SegmentationScores, scoresOf } from './scores.ts';

/**
 * Counts of pixels by class of the label and class of the prediction, over any number of images.
 *
 * Pixels whose label is `ignoreIndex` are left out, whatever is predicted there. Counts of many images are summed
 * before the ratios are taken, as mmsegmentation's `IoUMetric` does; scores are never averaged over images.
 *
 * @example
 * ```ts
 * import { ConfusionMatrix } from '@e3va/metrics';
 *
 * const matrix = new ConfusionMatrix(3);
 * matrix.add([0, 1, 1, 2], [0, 1, 2, 255]); // prediction, label; 255 is ignored
 * console.log(matrix.result().mIoU); // 0.5: IoU is 1, 0.5 and 0
 * ```
 */
export class ConfusionMatrix {
  /** The number of classes. */
  readonly classes: number;
  /** The label value that is left out. */
  readonly ignoreIndex: number;
  /** Pixel counts, row-major `[classes, classes]`: row = class of the label, column = class of the prediction. */
  readonly counts: Float64Array;
  readonly #scratch: Uint32Array;

  /**
   * @param classes Number of classes, at least 1.
   * @param ignoreIndex Label value of pixels to leave out; it may lie outside `0..classes-1`.
   * @throws ClassCountError if `classes` is no positive integer.
   */
  constructor(classes: number, ignoreIndex = 255) {
    if (!Number.isInteger(classes) || classes < 1 || classes > 4096) {
      throw new ClassCountError({
        what: 'a confusion matrix needs a number of classes',
        expected: 'an integer from 1 to 4096',
        received: String(classes),
      });
    }
    this.classes = classes;
    this.ignoreIndex = ignoreIndex;
    this.counts = new Float64Array(classes * classes);
    this.#scratch = new Uint32Array(classes * classes);
  }

  /**
   * Counts the pixels of one image, or of one batch flattened. The counts change only if every pixel is valid.
   *
   * @param prediction Class index of each pixel, in the order of `label`.
   * @param label Class index or `ignoreIndex` of each pixel.
   * @throws LengthMismatchError if the two differ in length.
   * @throws ClassIndexError if a value is no class index; it names the value and where it stands.
   */
  add(prediction: ArrayLike<number>, label: ArrayLike<number>): void {
    if (prediction.length !== label.length) {
      throw new LengthMismatchError({
        what: 'prediction and label cover different numbers of pixels',
        expected: `${label.length} predicted pixels, one for each label`,
        received: `${prediction.length}`,
        fix: 'resize the logits to the size of the label before taking the arg max',
      });
    }
    const bad = countPairs(this.#scratch, this.classes, this.ignoreIndex, prediction, label);
    if (bad >= 0) {
      this.#scratch.fill(0);
      throw this.#indexError(prediction, label, bad);
    }
    for (let i = 0; i < this.counts.length; i++) this.counts[i]! += this.#scratch[i]!;
    this.#scratch.fill(0);
  }

  /**
   * Adds the counts of another matrix, for example of another worker.
   *
   * @throws ClassCountError if the two have different numbers of classes.
   */
  merge(other: ConfusionMatrix): void {
    mergeCounts(this, other);
  }

  /** Sets every count to zero. */
  reset(): void {
    this.counts.fill(0);
  }

  /** The scores of everything counted so far. */
  result(): SegmentationScores {
    return scoresOf(this.counts, this.classes);
  }

  #indexError(prediction: ArrayLike<number>, label: ArrayLike<number>, at: number): ClassIndexError {
    const inLabel = !isClass(label[at]!, this.classes);
    const side = inLabel ? 'label' : 'prediction';
    return new ClassIndexError({
      what: `the ${side} of pixel ${at} is no class index`,
      expected: `an integer from 0 to ${this.classes - 1}${inLabel ? `, or ${this.ignoreIndex} to ignore it` : ''}`,
      received: String((inLabel ? label : prediction)[at]),
      fix: inLabel
        ? 'map the value to a class, or pass it as ignoreIndex'
        : 'check that the head has as many outputs as there are classes',
    });
  }
}

const isClass = (value: number, classes: number) => value >>> 0 === value && value < classes;

/** Adds the pairs to `counts`. Returns the first pixel that holds no class index, or -1. */
function countPairs(
  counts: Uint32Array,
  classes: number,
  ignoreIndex: number,
  prediction: ArrayLike<number>,
  label: ArrayLike<number>,
): number {
  for (let i = 0; i < label.length; i++) {
    const l = label[i]!;
    if (l === ignoreIndex) continue;
    const p = prediction[i]!;
    // `>>> 0` is the identity on unsigned integers only: negative, fractional and NaN values fail here.
    if (l >>> 0 !== l || p >>> 0 !== p || l >= classes || p >= classes) return i;
    counts[l * classes + p]!++;
  }
  return -1;
}
