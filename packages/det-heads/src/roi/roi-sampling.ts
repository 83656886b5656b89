import { takeBoxes } from '../boxes.ts';
import type { DetectionTargets } from '../detection.ts';
import { matchBoxes } from '../matching.ts';
import { addObjects, sampleMatches } from '../samplers.ts';

/** How {@link sampleRois} picks the regions that a head learns from. */
export interface RoiSamplingOptions {
  /** Number of classes; the label of background. */
  classes: number;
  /** Overlap with an object from which on a region is positive. */
  iou: number;
  /** Most regions of an image. */
  samples: number;
  /** Largest share of positives among them. */
  positiveShare: number;
  /** Whether the objects' own boxes, which join the proposals, come before them or after. */
  objectsPlace: 'first' | 'last';
  /** Numbers of at least 0 and below 1; `() => 0` takes the first in order. */
  rng: () => number;
}

/** The regions of one image that a head learns from, positives first. */
export interface RoiSample {
  /** Boxes `x1 y1 x2 y2`, four numbers each. */
  boxes: Float32Array;
  /** The class of each, or the number of classes for background. */
  labels: Int32Array;
  /** For each positive, the index of its object. */
  objects: Int32Array;
  /** The regions that are proposals, not the boxes of objects. */
  proposals: Int32Array;
}

/**
 * Labels proposals and the objects' own boxes by the object that each overlaps most, and picks positives and background
 * at random.
 *
 * Source: Ren et al., Faster R-CNN, arXiv 1506.01497; equal to the assigner and sampler of mmdetection's `StandardRoIHead` and
 * to torchvision's `select_training_samples`.
 *
 * @param proposals Boxes `x1 y1 x2 y2`, four numbers each.
 */
export function sampleRois(
  proposals: Float32Array,
  targets: DetectionTargets,
  { classes, iou, samples, positiveShare, objectsPlace, rng }: RoiSamplingOptions,
): RoiSample {
  const boxes = addObjects(proposals, targets, objectsPlace);
  const matches = matchBoxes(boxes, targets, { positive: iou, negative: iou, lowQuality: false });
  const { positives, negatives } = sampleMatches(matches, { size: samples, positiveShare, rng });
  const chosen = Int32Array.from([...positives, ...negatives]);
  const objects = positives.map((i) => matches[i]!);
  const firstProposal = objectsPlace === 'first' ? (boxes.length - proposals.length) / 4 : 0;
  const isProposal = (i: number) => i >= firstProposal && i < firstProposal + proposals.length / 4;
  return {
    boxes: takeBoxes(boxes, chosen),
    labels: Int32Array.from(chosen, (_, k) => (k < objects.length ? targets.labels[objects[k]!]! : classes)),
    objects,
    proposals: Int32Array.from([...chosen.keys()].filter((k) => isProposal(chosen[k]!))),
  };
}
