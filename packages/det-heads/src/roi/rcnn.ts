import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { checkInteger, checkPyramid, checkTargets } from '../batch.ts';
import { tidyLosses, withTotal } from '../dense/losses.ts';
import { tidyOutputs } from '../dense/outputs.ts';
import type {
  Detection,
  DetectionLosses,
  DetectionLossOptions,
  DetectionTargets,
  Detector,
  ImageSize,
} from '../detection.ts';
import { DetectionInputError } from '../errors.ts';
import { type Rpn, type RpnOptions, rpn } from '../rpn.ts';
import { type BoxHeadOptions, boxHead } from './box-head.ts';
import { type MaskHeadOptions, maskHead } from './mask-head.ts';
import { RoiHeads } from './roi-heads.ts';
import type { RoiHeadsOptions, RoiStage } from './roi-options.ts';

/** Options of the region proposal network of an R-CNN. */
export type RcnnRpnOptions = Omit<RpnOptions, 'channels' | 'strides' | 'definition' | 'seed'>;

/** Options of {@link pyramidRcnn}. */
export interface PyramidRcnnOptions extends Omit<RoiHeadsOptions, 'stages' | 'strides'> {
  /** Channels of the pyramid's maps. */
  channels: number;
  /** Pixels that a step of each level's map spans, finest first. All of them have proposals. */
  strides: readonly number[];
  /** How many of the levels regions are pooled from: the finest ones; all by default. */
  pooledLevels?: number;
  /** Overlap, coding and weight of each stage. */
  stages: readonly Omit<RoiStage, 'boxHead' | 'maskHead'>[];
  /** Structure of the box heads. */
  boxHead?: Omit<BoxHeadOptions, 'channels' | 'classes' | 'seed' | 'name'>;
  /** Structure of the mask heads; none by default. */
  maskHead?: Omit<MaskHeadOptions, 'channels' | 'classes' | 'seed' | 'name'>;
  /** Region proposal network. */
  rpn?: RcnnRpnOptions;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
}

class PyramidRcnn implements Detector {
  readonly classes: number;
  readonly models: Record<string, LayersModel>;
  readonly channels: number;
  readonly strides: readonly number[];
  private readonly pooledLevels: number;
  private readonly rpn: Rpn;
  private readonly heads: RoiHeads;

  constructor(options: PyramidRcnnOptions) {
    const { classes, channels, strides, pooledLevels = strides.length, definition, seed } = options;
    checkInteger('classes', classes, 1);
    checkInteger('channels', channels, 1);
    [this.classes, this.channels, this.strides, this.pooledLevels] = [
      classes,
      channels,
      strides,
      pooledLevels,
    ];
    const seeded = (salt: number) => (seed === undefined ? {} : { seed: 16 * seed + salt });
    this.rpn = rpn({ channels, strides, definition, ...options.rpn, ...seeded(0) });
    this.models = { ...this.rpn.models };
    const stages = options.stages.map((numbers, s): RoiStage => {
      const suffix = options.stages.length > 1 ? String(s) : '';
      const shared = { channels, classes };
      const box = boxHead({ ...options.boxHead, ...shared, ...seeded(1 + s), name: `box_head${suffix}` });
      this.models[`boxHead${suffix}`] = box;
      if (!options.maskHead) return { ...numbers, boxHead: box };
      const mask = maskHead({ ...options.maskHead, ...shared, ...seeded(8 + s), name: `mask_head${suffix}` });
      this.models[`maskHead${suffix}`] = mask;
      return { ...numbers, boxHead: box, maskHead: mask };
    });
    this.heads = new RoiHeads({ ...options, strides: strides.slice(0, pooledLevels), stages });
  }

  loss(
    features: tf.Tensor4D[],
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
    options: DetectionLossOptions = {},
  ): DetectionLosses {
    checkPyramid(features, this, sizes);
    checkTargets(targets, sizes.length, this.classes);
    checkMasks(targets);
    return tidyLosses(() => {
      const outputs = this.rpn.forward(features);
      const own = this.rpn.lossOf(outputs, targets, sizes, options).losses;
      const proposals = this.rpn.proposals(outputs, sizes).map(({ boxes }) => boxes);
      const pooled = features.slice(0, this.pooledLevels);
      return withTotal({ ...own, ...this.heads.loss(pooled, proposals, targets, sizes, options) });
    });
  }

  async detect(features: tf.Tensor4D[], sizes: readonly ImageSize[]): Promise<Detection[][]> {
    checkPyramid(features, this, sizes);
    const outputs = tidyOutputs(() => this.rpn.forward(features));
    const proposals = await this.rpn.takeProposals(outputs, sizes);
    const boxes = proposals.map(({ boxes }) => boxes);
    return this.heads.detect(features.slice(0, this.pooledLevels), boxes, sizes);
  }

  dispose(): void {
    for (const model of Object.values(this.models)) model.dispose();
  }
}

/**
 * An R-CNN over a pyramid that is there already: a region proposal network, then one or more stages of box and mask heads.
 * {@link fasterRcnn}, {@link maskRcnn} and {@link cascadeRcnn} are this with their numbers, behind a neck.
 *
 * Its losses are `rpnClasses` and `rpnBoxes`, and those of {@link RoiHeads}. The loss reads proposals, and between stages
 * boxes, with `dataSync`: where a graphics card computes, that waits for it.
 *
 * @throws {@link DetectionOptionsError} if an option is out of range.
 */
export function pyramidRcnn(options: PyramidRcnnOptions): Detector {
  return new PyramidRcnn(options);
}

/** @throws {@link DetectionInputError} if an image's masks are not as many as its boxes. */
function checkMasks(targets: readonly DetectionTargets[]): void {
  for (const [i, { labels, masks }] of targets.entries()) {
    if (!masks || masks.data.length === labels.length * masks.height * masks.width) continue;
    throw new DetectionInputError({
      what: `targets of image ${i}: masks and boxes are not as many`,
      expected: `${labels.length} masks of ${masks.height}×${masks.width}`,
      received: `${masks.data.length} pixels`,
    });
  }
}
