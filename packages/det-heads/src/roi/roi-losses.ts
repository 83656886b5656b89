import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { joined } from '../anchors.ts';
import { takeBoxes } from '../boxes.ts';
import type { DetectionTargets, ImageSize } from '../detection.ts';
import { DetectionInputError } from '../errors.ts';
import { type BoxGoals, boxLosses } from './box-losses.ts';
import { maskLoss } from './mask-loss.ts';
import { maskTargets } from './mask-targets.ts';
import { refinedBoxes } from './refine-boxes.ts';
import { codingOf, pooledFor, type RoiHeadsOptions, type RoiStage } from './roi-options.ts';
import { type RoiSample, sampleRois } from './roi-sampling.ts';
import { roisOf } from './rois.ts';

/** What the stages learn from: one entry an image, but for the maps. */
export interface RoiBatch {
  maps: readonly tf.Tensor4D[];
  targets: readonly DetectionTargets[];
  sizes: readonly ImageSize[];
  training: boolean;
  rng: () => number;
}

/** The losses of every stage, by name. */
export function roiLosses(
  options: Required<RoiHeadsOptions>,
  proposals: readonly Float32Array[],
  batch: RoiBatch,
): Record<string, tf.Scalar> {
  const { stages, classes, samples, positiveShare, definition } = options;
  const objectsPlace = definition === 'mmdet' ? 'first' : 'last';
  const losses: Record<string, tf.Scalar> = {};
  let regions = proposals;
  for (const [s, stage] of stages.entries()) {
    const sampling = {
      classes,
      iou: stage.iou,
      samples,
      positiveShare,
      objectsPlace,
      rng: batch.rng,
    } as const;
    const chosen = regions.map((boxes, i) => sampleRois(boxes, batch.targets[i]!, sampling));
    const { refined, ...own } = stageLosses(stage, chosen, batch, options, s + 1 < stages.length);
    for (const [name, loss] of Object.entries(own)) {
      const key = stages.length > 1 ? `stage${s}.${name}` : name;
      losses[key] = tf.mul(loss, stage.weight ?? 1) as tf.Scalar;
    }
    regions = refined;
  }
  return losses;
}

interface StageLosses {
  classes: tf.Scalar;
  boxes: tf.Scalar;
  masks?: tf.Scalar;
  /** Regions of the next stage, by image. */
  refined: Float32Array[];
}

function stageLosses(
  stage: RoiStage,
  chosen: readonly RoiSample[],
  batch: RoiBatch,
  options: Required<RoiHeadsOptions>,
  refine: boolean,
): StageLosses {
  const { boxHead, maskHead } = stage;
  const rois = roisOf(chosen.map(({ boxes }) => boxes));
  const masks = maskHead && { masks: maskLossOf(maskHead, chosen, batch, options) };
  if (rois.images.length === 0) {
    const refined = chosen.map(({ boxes }) => boxes);
    return { classes: tf.scalar(0), boxes: tf.scalar(0), ...masks, refined };
  }
  const pooled = pooledFor(boxHead, batch.maps, rois, options);
  const [logits, deltas] = boxHead.apply(pooled, { training: batch.training }) as [tf.Tensor2D, tf.Tensor2D];
  const goals = goalsOf(rois.boxes, chosen, batch.targets);
  const losses = boxLosses(logits, deltas, goals, codingOf(stage, options), options);
  const refined = refine ? nextRegions(stage, chosen, [logits, deltas], batch, options) : [];
  return { ...losses, ...masks, refined };
}

/** The samples of all images as one. */
function goalsOf(
  rois: Float32Array,
  chosen: readonly RoiSample[],
  targets: readonly DetectionTargets[],
): BoxGoals {
  const labels = new Int32Array(rois.length / 4);
  const positives: number[] = [];
  let at = 0;
  for (const sample of chosen) {
    labels.set(sample.labels, at);
    for (let k = 0; k < sample.objects.length; k++) positives.push(at + k);
    at += sample.labels.length;
  }
  const { boxes } = roisOf(chosen.map(({ objects }, i) => takeBoxes(targets[i]!.boxes, objects)));
  return { rois, labels, positives: Int32Array.from(positives), boxes };
}

/** The loss of the masks of the positives, pooled by themselves. */
function maskLossOf(
  head: LayersModel,
  chosen: readonly RoiSample[],
  { maps, targets, training }: RoiBatch,
  options: Required<RoiHeadsOptions>,
): tf.Scalar {
  const positives = chosen.map(({ boxes, objects }) => boxes.subarray(0, 4 * objects.length));
  const rois = roisOf(positives);
  if (rois.images.length === 0) return tf.scalar(0);
  const size = head.outputs[0]!.shape[1]!;
  const goals = chosen.map(({ objects }, i) => {
    if (objects.length === 0) return new Float32Array(0);
    const { masks } = targets[i]!;
    if (masks) return maskTargets(masks, positives[i]!, objects, { size, definition: options.definition });
    throw new DetectionInputError({
      what: `image ${i} of the batch has objects but no masks`,
      expected: 'a mask for every box, as the detector has mask heads',
      fix: 'read the data with masks, or use a detector of boxes: fasterRcnn, or cascadeRcnn with masks: false',
    });
  });
  const labels = Int32Array.from(
    chosen.flatMap(({ labels, objects }) => [...labels.subarray(0, objects.length)]),
  );
  const logits = head.apply(pooledFor(head, maps, rois, options), { training }) as tf.Tensor4D;
  return maskLoss(logits, labels, joined(goals, Float32Array));
}

/** Every sampled proposal where the stage moved it; the objects' own boxes join again in the next stage. */
function nextRegions(
  stage: RoiStage,
  chosen: readonly RoiSample[],
  outputs: [logits: tf.Tensor2D, deltas: tf.Tensor2D],
  { sizes }: RoiBatch,
  options: Required<RoiHeadsOptions>,
): Float32Array[] {
  const [logits, deltas] = outputs.map((t) => t.dataSync<'float32'>()) as [Float32Array, Float32Array];
  const [perLogits, perDeltas] = outputs.map(({ shape }) => shape[1]) as [number, number];
  let at = 0;
  return chosen.map(({ boxes, labels, proposals }, i) => {
    const end = at + labels.length;
    const own = [
      logits.subarray(at * perLogits, end * perLogits),
      deltas.subarray(at * perDeltas, end * perDeltas),
    ] as const;
    at = end;
    const as = { classes: options.classes, coding: codingOf(stage, options), size: sizes[i]! };
    return takeBoxes(refinedBoxes(boxes, ...own, as, labels), proposals);
  });
}
