import { type ClassMatches, verdicts } from './match.ts';
import { recallThresholds } from './options.ts';

/** The lengths of the axes of {@link CocoCurves}. */
export interface CocoCurveShape {
  iouThresholds: number;
  recallThresholds: number;
  classes: number;
  /** All, small, medium, large. */
  areas: number;
  maxDetections: number;
}

/**
 * Precision over recall of each class, in C order of the axes IoU threshold, recall threshold, class, area range, most
 * detections; -1 where the class has no object in the range.
 */
export interface CocoCurves {
  shape: CocoCurveShape;
  /** Highest precision at the recall threshold or any above; 0 beyond the recall that is reached. */
  precision: Float64Array;
  /** Score of the detection with which the recall threshold is reached; 0 beyond. */
  scores: Float64Array;
  /** Recall of all detections; it has no axis of recall thresholds. */
  recall: Float64Array;
}

/** Curves that hold -1 everywhere. */
export function emptyCurves(iouThresholds: number, classes: number): CocoCurves {
  const recalls = recallThresholds.length;
  const shape = { iouThresholds, recallThresholds: recalls, classes, areas: 4, maxDetections: 3 };
  const size = iouThresholds * classes * shape.areas * shape.maxDetections;
  return {
    shape,
    precision: new Float64Array(size * recalls).fill(-1),
    scores: new Float64Array(size * recalls).fill(-1),
    recall: new Float64Array(size).fill(-1),
  };
}

/** Fills in the curves of class `k`. */
export function addClass(
  curves: CocoCurves,
  k: number,
  matches: ClassMatches,
  scores: Float64Array,
  maxDetections: readonly number[],
): void {
  const { iouThresholds, recallThresholds: recalls, classes, areas } = curves.shape;
  const count = matches.detections.length;
  const sorted = matches.detections;
  const walk = new CurveWalk(
    Float64Array.from(sorted, (d) => scores[d]!),
    matches.ranks,
  );
  for (let a = 0; a < areas; a++) {
    const truths = matches.truths[a]!;
    if (truths === 0) continue;
    for (let t = 0; t < iouThresholds; t++) {
      const row = (a * iouThresholds + t) * count;
      const found = matches.verdicts.subarray(row, row + count);
      maxDetections.forEach((most, m) => {
        walk.run(found, most);
        const step = classes * areas * maxDetections.length;
        const at = (k * areas + a) * maxDetections.length + m;
        curves.recall[t * step + at] = walk.right / truths;
        walk.sample(truths, curves.precision, curves.scores, t * recalls * step + at, step);
      });
    }
  }
}

/** Added to the number of detections that precision is divided by, as in pycocotools: the next double after 1, less 1. */
const epsilon = 2 ** -52;

/** Walks down the detections of a class and keeps what is known at each right one; the buffers serve every walk. */
class CurveWalk {
  /** The number of right detections of the last walk. */
  right = 0;
  readonly #scores: Float64Array;
  readonly #ranks: Int32Array;
  readonly #precision: Float64Array;
  readonly #scoreAt: Float64Array;
  #highest = 0;

  constructor(scores: Float64Array, ranks: Int32Array) {
    this.#scores = scores;
    this.#ranks = ranks;
    this.#precision = new Float64Array(scores.length);
    this.#scoreAt = new Float64Array(scores.length);
  }

  run(found: Uint8Array, most: number): void {
    let right = 0;
    let wrong = 0;
    for (let p = 0; p < found.length; p++) {
      if (this.#ranks[p]! >= most || found[p] === verdicts.ignored) continue;
      if (found[p] === verdicts.wrong) wrong++;
      else {
        this.#precision[right] = (right + 1) / (wrong + right + 1 + epsilon);
        this.#scoreAt[right++] = this.#scores[p]!;
      }
    }
    for (let i = right - 2; i >= 0; i--) {
      if (this.#precision[i]! < this.#precision[i + 1]!) this.#precision[i] = this.#precision[i + 1]!;
    }
    this.right = right;
    // The surest detection of an image has rank 0, so the first one of all is among those that count.
    this.#highest = this.#scores[0] ?? 0;
  }

  /** Writes precision and score at each recall threshold, `step` places apart. */
  sample(truths: number, precision: Float64Array, scores: Float64Array, at: number, step: number): void {
    let i = 0;
    for (let r = 0; r < recallThresholds.length; r++) {
      while (i < this.right && (i + 1) / truths < recallThresholds[r]!) i++;
      const reached = i < this.right;
      precision[at + r * step] = reached ? this.#precision[i]! : 0;
      // Recall 0 is reached with the first detection, right or not.
      scores[at + r * step] = r === 0 ? this.#highest : reached ? this.#scoreAt[i]! : 0;
    }
  }
}
