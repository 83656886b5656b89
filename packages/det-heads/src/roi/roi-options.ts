import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { withDefaults } from '../batch.ts';
import type { BoxCoding } from '../box-coding.ts';
import type { BoxLossOptions } from '../dense/losses.ts';
import { assignLevels } from './levels.ts';
import { pyramidRoiAlign } from './roi-align.ts';
import type { Rois } from './rois.ts';

/** One stage of {@link RoiHeads}. */
export interface RoiStage {
  /** Of {@link boxHead}. */
  boxHead: LayersModel;
  /** Of {@link maskHead}; none: boxes only. */
  maskHead?: LayersModel;
  /** Overlap with an object from which on a region is positive. */
  iou: number;
  /** Deviations by which its deltas are coded. */
  stds: readonly [number, number, number, number];
  /** Weight of its losses; 1 by default. */
  weight?: number;
}

/** Options of {@link RoiHeads}. */
export interface RoiHeadsOptions extends BoxLossOptions {
  /** `'smooth-l1'` by default. */
  boxLoss?: BoxLossOptions['boxLoss'];
  /** Where smooth L1 becomes linear; 1 by default. */
  beta?: number;
  /** Number of classes without the background. */
  classes: number;
  /** Pixels that a step of each pooled level's map spans, finest first. */
  strides: readonly number[];
  /** One for Faster and Mask R-CNN, three for Cascade R-CNN. */
  stages: readonly RoiStage[];
  /** Regions that an image gives to a step; 512 by default. */
  samples?: number;
  /** Largest share of positives among them; 0.25 by default. */
  positiveShare?: number;
  /** Probability above which an object counts as found; 0.05 by default. */
  scoreThreshold?: number;
  /** IoU above which the weaker of two boxes of a class is dropped; 0.5 by default. */
  nmsThreshold?: number;
  /** Most objects of an image; 100 by default. */
  maxDetections?: number;
  /**
   * Whose details: `'mmdet'` (default) aligns bins with pixels and samples them adaptively; `'torchvision'` pools by the older
   * alignment with 2×2 samples a bin, learns masks as shares, rounds a box before it pastes a mask there, limits deltas in growth
   * alone and drops boxes under 0.01 pixels.
   */
  definition?: 'mmdet' | 'torchvision';
}

const defaults = {
  boxLoss: 'smooth-l1',
  beta: 1,
  boxLossWeight: 1,
  samples: 512,
  positiveShare: 0.25,
  scoreThreshold: 0.05,
  nmsThreshold: 0.5,
  maxDetections: 100,
  definition: 'mmdet',
} as const;

/** The options with what is left out. */
export function completed(options: RoiHeadsOptions): Required<RoiHeadsOptions> {
  return withDefaults(options, defaults);
}

/** How the deltas of a stage are coded. */
export function codingOf({ stds }: RoiStage, { definition }: Required<RoiHeadsOptions>): BoxCoding {
  return { stds, clip: definition === 'mmdet' ? 'both' : 'growth' };
}

/** The regions that a head reads, pooled from the levels that fit their sizes: [regions, side, side, channels]. */
export function pooledFor(
  head: LayersModel,
  maps: readonly tf.Tensor4D[],
  rois: Rois,
  { strides, definition }: Required<RoiHeadsOptions>,
): tf.Tensor4D {
  const side = head.inputs[0]!.shape[1]!;
  const levels = assignLevels(rois.boxes, strides.length, 14 * strides[0]!);
  const sampling = definition === 'mmdet' ? {} : { aligned: false, samplingRatio: 2 };
  return pyramidRoiAlign(maps, rois, { size: [side, side], strides, levels, ...sampling });
}
