import { mergeCounts } from '../merge-counts.ts';
import { checkImages, type FoundBox, iouOfBoxes, isIgnored, shareInside, type TrueBox } from './objects.ts';
import { checkClasses, checkIouThreshold, checkScoreThreshold } from './options.ts';

/**
 * Counts which class true objects are detected as, over any number of images: a matrix of the classes and one place more for
 * the background, that is for objects that nothing finds, and for detections where nothing is.
 *
 * In each image, pairs of a detection and an object of whatever classes are matched from the highest IoU down, each once;
 * of equal IoU the surer detection, then the earlier one and the earlier object, comes first. Objects that are difficult or
 * a crowd are not counted, nor are unmatched detections that reach the threshold on them (for a crowd: by the part of
 * the detection's area inside it).
 *
 * @example
 * ```ts
 * import { DetectionConfusion } from '@e3va/metrics';
 *
 * const confusion = new DetectionConfusion(2);
 * confusion.add(
 *   [{ box: [10, 10, 50, 50], label: 0 }],
 *   [{ box: [11, 10, 50, 50], label: 1, score: 0.9 }, { box: [80, 80, 90, 90], label: 0, score: 0.6 }],
 * );
 * console.log(confusion.counts); // 3 × 3: object 0 as class 1, background as class 0
 * ```
 */
export class DetectionConfusion {
  /** The number of classes, without the background. */
  readonly classes: number;
  /** Least score of a detection that counts. */
  readonly scoreThreshold: number;
  /** Least IoU of a match. */
  readonly iouThreshold: number;
  /**
   * Counts, row-major `[classes + 1, classes + 1]`: row = class of the object, column = class of the detection; the last row
   * and the last column are the background.
   */
  readonly counts: Float64Array;

  /**
   * @param classes Number of classes, at least 1.
   * @param options.scoreThreshold Least score of a detection that counts. Default: 0.3.
   * @param options.iouThreshold Least IoU of a match, above 0 and at most 1. Default: 0.5.
   * @throws ClassCountError if `classes` is no positive integer.
   * @throws EvaluationOptionError if a threshold is no finite number, or that of the IoU not above 0 and at most 1.
   */
  constructor(classes: number, options: { scoreThreshold?: number; iouThreshold?: number } = {}) {
    checkClasses(classes);
    const { scoreThreshold = 0.3, iouThreshold = 0.5 } = options;
    checkScoreThreshold(scoreThreshold);
    checkIouThreshold(iouThreshold);
    this.classes = classes;
    this.scoreThreshold = scoreThreshold;
    this.iouThreshold = iouThreshold;
    this.counts = new Float64Array((classes + 1) ** 2);
  }

  /**
   * Counts one image. The counts change only if every object and detection is usable.
   *
   * @throws GroundTruthError, DetectionError or ClassIndexError if one is not.
   */
  add(truths: readonly TrueBox[], found: readonly FoundBox[]): void {
    checkImages([truths], [found], this.classes);
    const objects = truths.filter((object) => !isIgnored(object));
    const ignored = truths.filter(isIgnored);
    const detections = found.filter(({ score }) => score >= this.scoreThreshold);
    const matches = this.#match(objects, detections);
    objects.forEach(({ label }, i) => {
      this.#count(label, detections[matches.get(i) ?? -1]?.label ?? this.classes);
    });
    const matched = new Set(matches.values());
    detections.forEach((detection, j) => {
      const excused = () => ignored.some((region) => this.#covers(region, detection));
      if (!matched.has(j) && !excused()) this.#count(this.classes, detection.label);
    });
  }

  /**
   * Adds the counts of another matrix.
   *
   * @throws ClassCountError if the two have different numbers of classes.
   */
  merge(other: DetectionConfusion): void {
    mergeCounts(this, other);
  }

  #count(row: number, column: number): void {
    this.counts[row * (this.classes + 1) + column]!++;
  }

  #covers(region: TrueBox, detection: FoundBox): boolean {
    const overlap = region.crowd ? shareInside(detection, region) : iouOfBoxes(detection, region);
    return overlap >= this.iouThreshold;
  }

  /** For each matched object's place that of its detection. */
  #match(objects: readonly TrueBox[], detections: readonly FoundBox[]): Map<number, number> {
    const pairs = detections.flatMap((detection, j) =>
      objects
        .map((object, i) => ({ i, j, score: detection.score, iou: iouOfBoxes(detection, object) }))
        .filter(({ iou }) => iou >= this.iouThreshold),
    );
    pairs.sort((a, b) => b.iou - a.iou || b.score - a.score);
    const matches = new Map<number, number>();
    const taken = new Set<number>();
    for (const { i, j } of pairs) {
      if (matches.has(i) || taken.has(j)) continue;
      matches.set(i, j);
      taken.add(j);
    }
    return matches;
  }
}
