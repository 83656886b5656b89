import { joined } from './anchors.ts';
import { type BoxCoding, decodeBoxes } from './box-coding.ts';
import { largeBoxes, takeBoxes } from './boxes.ts';
import type { ImageOutputs } from './dense/outputs.ts';
import type { ImageSize } from './detection.ts';
import { batchedNms, topScores } from './nms.ts';

/** Which boxes a region proposal network puts out. */
export interface ProposalOptions {
  /** The best boxes of each level that are looked at. */
  perLevel: number;
  /** Boxes to keep at most. */
  max: number;
  /** The IoU up to which two boxes of a level both stay; 0.7 by default. */
  nmsThreshold?: number;
  /** Narrower or lower boxes, once clipped to the image, are dropped; 0.001 pixels by default. */
  minSize?: number;
}

/** Proposals of an image, by falling score. */
export interface Proposals {
  /** Boxes `x1 y1 x2 y2`, four numbers each. */
  boxes: Float32Array;
  /** How sure it is that there is an object, from 0 to 1. */
  scores: Float32Array;
}

/**
 * The proposals of an image: the best anchors of each level, decoded, clipped, freed of small ones, then NMS by level.
 *
 * Sources: mmdetection's `RPNHead`, torchvision's `filter_proposals`.
 *
 * @param outputs Logits and deltas of each level.
 * @param anchors Of each level.
 */
export function selectProposals(
  outputs: ImageOutputs,
  anchors: readonly Float32Array[],
  size: ImageSize,
  coding: BoxCoding,
  { perLevel, max, nmsThreshold = 0.7, minSize = 1e-3 }: ProposalOptions,
): Proposals {
  const best = outputs.logits.map((logits) => topScores(logits, perLevel));
  const decoded = best.map((chosen, l) =>
    decodeBoxes(takeBoxes(outputs.deltas[l]!, chosen), takeBoxes(anchors[l]!, chosen), coding, size),
  );
  const boxes = joined(decoded, Float32Array);
  const logits = Float32Array.from(best.flatMap((chosen, l) => [...takeScores(outputs.logits[l]!, chosen)]));
  const levels = best.flatMap((chosen, l) => new Array<number>(chosen.length).fill(l));
  const large = largeBoxes(boxes, minSize);
  const kept = batchedNms(
    takeBoxes(boxes, large),
    takeScores(logits, large),
    Array.from(large, (i) => levels[i]!),
    nmsThreshold,
  );
  const chosen = kept.slice(0, max).map((i) => large[i]!);
  return { boxes: takeBoxes(boxes, chosen), scores: takeScores(logits, chosen).map(sigmoid) };
}

/** The numbers of the given indices, in their order. */
export function takeScores(scores: Float32Array, indices: Int32Array): Float32Array {
  return Float32Array.from(indices, (i) => scores[i]!);
}

/** 1 / (1 + e⁻ˣ). */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
