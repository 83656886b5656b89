import { joined } from '../anchors.ts';
import { type BoxCoding, decodeBoxes } from '../box-coding.ts';
import { largeBoxes, takeBoxes } from '../boxes.ts';
import type { Detection, ImageSize } from '../detection.ts';
import { toDetections } from '../detections.ts';
import { batchedNms, type SoftNmsOptions, softNms, topScores } from '../nms.ts';
import { sigmoid, takeScores } from '../proposals.ts';
import type { ImageOutputs } from './outputs.ts';

/** Which of its boxes a dense detector puts out. */
export interface SelectOptions {
  /** Scores up to this are dropped; 0.05 by default. */
  scoreThreshold?: number;
  /** The best pairs of box and class of each level that are looked at; 1000 by default. */
  perLevel?: number;
  /** The IoU up to which two boxes of a class both stay; 0.5 by default. */
  nmsThreshold?: number;
  /** Soft NMS in place of dropping boxes. */
  softNms?: SoftNmsOptions;
  /** Detections of an image at most; 100 by default. */
  maxDetections?: number;
}

/**
 * The detections of an image: of each level the best pairs of box and class, decoded and clipped, then NMS within each class.
 *
 * Sources: mmdetection's `RetinaHead`, torchvision's `RetinaNet.postprocess_detections`.
 *
 * @param outputs Logits and deltas of each level.
 * @param anchors Of each level.
 */
export function selectDetections(
  outputs: ImageOutputs,
  anchors: readonly Float32Array[],
  size: ImageSize,
  classes: number,
  coding: BoxCoding,
  options: SelectOptions,
): Detection[] {
  const { scoreThreshold = 0.05, perLevel = 1000 } = options;
  const least = Math.log(scoreThreshold / (1 - scoreThreshold)); // the logit of the threshold
  const best = outputs.logits.map((logits) => topScores(logits, perLevel, least));
  const decoded = best.map((pairs, l) => {
    const own = pairs.map((pair) => Math.floor(pair / classes));
    return decodeBoxes(takeBoxes(outputs.deltas[l]!, own), takeBoxes(anchors[l]!, own), coding, size);
  });
  const all = joined(decoded, Float32Array);
  const large = largeBoxes(all, 1e-3); // one that lay outside the image has no area left
  const boxes = takeBoxes(all, large);
  const logits = joined(
    best.map((pairs, l) => takeScores(outputs.logits[l]!, pairs)),
    Float32Array,
  );
  const labels = joined(
    best.map((pairs) => pairs.map((pair) => pair % classes)),
    Int32Array,
  );
  return suppressed(
    boxes,
    takeScores(logits, large),
    large.map((i) => labels[i]!),
    options,
  );
}

function suppressed(
  boxes: Float32Array,
  logits: Float32Array,
  labels: Int32Array,
  { nmsThreshold = 0.5, softNms: soft, maxDetections = 100 }: SelectOptions,
): Detection[] {
  if (soft) {
    const { kept, scores } = softNms(boxes, logits.map(sigmoid), { max: maxDetections, ...soft }, labels);
    return toDetections(
      takeBoxes(boxes, kept),
      scores,
      kept.map((i) => labels[i]!),
    );
  }
  const kept = batchedNms(boxes, logits, labels, nmsThreshold).subarray(0, maxDetections);
  const scores = takeScores(logits, kept).map(sigmoid);
  return toDetections(
    takeBoxes(boxes, kept),
    scores,
    kept.map((i) => labels[i]!),
  );
}
