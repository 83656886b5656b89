import { largeBoxes, takeBoxes } from '../boxes.ts';
import { batchedNms } from '../nms.ts';

/** Which boxes {@link selectBoxes} keeps. */
export interface BoxSelection {
  /** Probability above which a class's box counts as found. */
  scoreThreshold: number;
  /** IoU above which the weaker of two boxes of a class is dropped. */
  nmsThreshold: number;
  /** Most boxes of an image. */
  maxDetections: number;
  /** Least side of a box in pixels; 0 by default. */
  minSize?: number;
}

/** The boxes found in one image, by falling score. */
export interface FoundBoxes {
  boxes: Float32Array;
  scores: Float32Array;
  labels: Int32Array;
}

/** The softmax of rows of `width` numbers. */
export function softmaxRows(logits: Float32Array, width: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let at = 0; at < logits.length; at += width) {
    const row = logits.subarray(at, at + width);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const sum = row.reduce((sum, v) => sum + Math.exp(v - most), 0);
    for (let k = 0; k < width; k++) result[at + k] = Math.exp(row[k]! - most) / sum;
  }
  return result;
}

/**
 * The objects of one image: every class's box with a score above the threshold, reduced by non-maximum suppression.
 *
 * @param probabilities Shape [regions, classes + 1], the last one for background.
 * @param boxes Shape [regions, 4], or [regions, 4 · classes] with a box a class.
 * @param classes Number of classes.
 */
export function selectBoxes(
  probabilities: Float32Array,
  boxes: Float32Array,
  classes: number,
  { scoreThreshold, nmsThreshold, maxDetections, minSize = 0 }: BoxSelection,
): FoundBoxes {
  const regions = probabilities.length / (classes + 1);
  const boxesOfRegion = regions === 0 ? 1 : boxes.length / (4 * regions);
  const found = { boxes: [] as number[], scores: [] as number[], labels: [] as number[] };
  for (let region = 0; region < regions; region++) {
    for (let label = 0; label < classes; label++) {
      const score = probabilities[region * (classes + 1) + label]!;
      if (!(score > scoreThreshold)) continue;
      found.boxes.push(region * boxesOfRegion + (boxesOfRegion > 1 ? label : 0));
      found.scores.push(score);
      found.labels.push(label);
    }
  }
  const own = takeBoxes(boxes, found.boxes);
  const large = minSize > 0 ? [...largeBoxes(own, minSize)] : [...found.labels.keys()];
  const pick = (values: number[]) => large.map((i) => values[i]!);
  const candidates = takeBoxes(own, large);
  const scores = Float32Array.from(pick(found.scores));
  const labels = pick(found.labels);
  const kept = batchedNms(candidates, scores, labels, nmsThreshold).subarray(0, maxDetections);
  return {
    boxes: takeBoxes(candidates, kept),
    scores: Float32Array.from(kept, (i) => scores[i]!),
    labels: Int32Array.from(kept, (i) => labels[i]!),
  };
}
