import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { AnchorRegion } from './anchors.ts';
import { checkInteger, checkPyramid, checkTargets, withDefaults } from './batch.ts';
import type { BoxCoding } from './box-coding.ts';
import { checkAnchors, checkBoxLoss, checkProposals, checkSample } from './dense/check-options.ts';
import { type BoxLossOptions, boxLossOf, denseLosses, tidyLosses, withTotal } from './dense/losses.ts';
import {
  type DenseOutputs,
  denseOutputs,
  type ImageOutputs,
  readOutputs,
  takeOutputs,
  tidyOutputs,
} from './dense/outputs.ts';
import { anchorGrid, assignAnchors, DenseTargets, levelAnchors } from './dense/targets.ts';
import type {
  Detection,
  DetectionLosses,
  DetectionLossOptions,
  DetectionTargets,
  Detector,
  ImageSize,
} from './detection.ts';
import { toDetections } from './detections.ts';
import { sigmoidLoss } from './losses/cross-entropy.ts';
import { type ProposalOptions, type Proposals, selectProposals } from './proposals.ts';
import { rpnHead } from './rpn-head.ts';
import { type SampleOptions, sampleMatches } from './samplers.ts';

/** Options of {@link rpn}. */
export interface RpnOptions extends AnchorRegion, BoxLossOptions {
  /** Channels of the pyramid's maps. */
  channels: number;
  /** Pixels a cell of each level, finest first. */
  strides: readonly number[];
  /** Width of the head; that of the maps by default. */
  width?: number;
  /** For each level the sides of its square anchors in pixels; 8 times its stride by default. */
  anchorSizes?: readonly (readonly number[])[];
  /** Heights over widths of the anchors; 0.5, 1 and 2 by default. */
  ratios?: readonly number[];
  /** How anchors lie, match and are decoded, where mmdetection (the default) and torchvision differ. */
  definition?: 'mmdet' | 'torchvision';
  /** IoU from which on an anchor belongs to an object; 0.7 by default. */
  positive?: number;
  /** IoU below which it is background; 0.3 by default. */
  negative?: number;
  /** The least IoU of an object's best anchors with it, by mmdetection's definition; 0.3 by default. */
  lowQualityLimit?: number;
  /** Anchors of an image in the loss, and the share of objects; 256 and a half by default. */
  sample?: Omit<SampleOptions, 'rng'>;
  /** Proposals in training; by default 2000 of a level and 1000 in all. */
  trainProposals?: ProposalOptions;
  /** Proposals otherwise; by default 1000 of a level and 1000 in all. */
  testProposals?: ProposalOptions;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
}

/** A region proposal network over a pyramid: alone a detector of one class, objects; in a two-stage detector its first part. */
export class Rpn implements Detector {
  readonly classes = 1;
  readonly models: { rpn: LayersModel };
  private readonly options;
  private readonly coding: BoxCoding;

  constructor(options: RpnOptions) {
    const { anchorSizes = options.strides.map((stride) => [8 * stride]), definition = 'mmdet' } = options;
    this.options = { ...withDefaults(options, defaults), anchorSizes, definition };
    checkInteger('channels', options.channels, 1);
    checkAnchors(this.options);
    checkBoxLoss(options);
    checkSample(this.options.sample);
    checkProposals('trainProposals', this.options.trainProposals);
    checkProposals('testProposals', this.options.testProposals);
    this.coding = { clip: definition === 'mmdet' ? 'both' : 'growth' };
    const anchors = this.options.ratios.length * anchorSizes[0]!.length;
    this.models = { rpn: rpnHead({ ...options, anchors }) };
  }

  /** Logits and deltas of every anchor, on the tape. */
  forward(pyramid: readonly tf.Tensor4D[]): DenseOutputs {
    return denseOutputs(this.models.rpn, pyramid, 1);
  }

  /** The losses `rpnClasses` and `rpnBoxes` of {@link Rpn.forward}. */
  lossOf(
    outputs: DenseOutputs,
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
    { rng }: { rng?: () => number } = {},
  ): DetectionLosses {
    const grid = anchorGrid(outputs.grids, this.options);
    const { positive, negative, lowQualityLimit, definition: lowQuality, sample } = this.options;
    const samples = targets.map((target, i) => {
      const rules = { positive, negative, lowQuality, lowQualityLimit };
      const matches = assignAnchors(grid, target, sizes[i]!, rules);
      return { ...sampleMatches(matches, { ...sample, rng }), matches, target };
    });
    const count = samples.reduce((n, { positives, negatives }) => n + positives.length + negatives.length, 0);
    const weight = 1 / Math.max(1, count);
    const dense = new DenseTargets(targets.length, grid, 1);
    for (const [i, { positives, negatives, matches, target }] of samples.entries()) {
      const labels = new Int32Array(target.labels.length); // an object is an object
      dense.setPositives(i, { anchors: positives, matches, labels, targets: target }, this.coding, weight);
      dense.setNegatives(i, negatives, weight);
    }
    const boxLoss = boxLossOf(this.options, grid, this.coding);
    const { classes, boxes } = denseLosses(outputs, dense, objectness, boxLoss);
    return withTotal({ rpnClasses: classes, rpnBoxes: boxes });
  }

  /** The proposals of each image, in training; reads the outputs with `dataSync`. */
  proposals(outputs: DenseOutputs, sizes: readonly ImageSize[]): Proposals[] {
    return this.select(readOutputs(outputs), outputs, sizes, this.options.trainProposals);
  }

  /** The proposals of each image, otherwise; waits for the outputs and disposes them. */
  async takeProposals(outputs: DenseOutputs, sizes: readonly ImageSize[]): Promise<Proposals[]> {
    return this.select(await takeOutputs(outputs), outputs, sizes, this.options.testProposals);
  }

  /** The losses over a pyramid, by {@link Rpn.lossOf}. */
  loss(
    features: tf.Tensor4D[],
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
    options: DetectionLossOptions = {},
  ): DetectionLosses {
    checkPyramid(features, this.options, sizes);
    checkTargets(targets, sizes.length, Number.POSITIVE_INFINITY);
    return tidyLosses(() => this.lossOf(this.forward(features), targets, sizes, options));
  }

  /** The proposals of each image as detections of class 0. */
  async detect(features: tf.Tensor4D[], sizes: readonly ImageSize[]): Promise<Detection[][]> {
    checkPyramid(features, this.options, sizes);
    const outputs = tidyOutputs(() => this.forward(features));
    const proposals = await this.takeProposals(outputs, sizes);
    return proposals.map(({ boxes, scores }) => toDetections(boxes, scores, new Int32Array(scores.length)));
  }

  /** Frees the weights. */
  dispose(): void {
    this.models.rpn.dispose();
  }

  private select(
    images: ImageOutputs[],
    outputs: DenseOutputs,
    sizes: readonly ImageSize[],
    options: ProposalOptions,
  ): Proposals[] {
    const levels = levelAnchors(outputs.grids, this.options);
    return images.map((image, i) => selectProposals(image, levels, sizes[i]!, this.coding, options));
  }
}

const defaults = {
  ratios: [0.5, 1, 2] as readonly number[],
  positive: 0.7,
  negative: 0.3,
  lowQualityLimit: 0.3,
  sample: { size: 256, positiveShare: 0.5 },
  trainProposals: { perLevel: 2000, max: 1000 } as ProposalOptions,
  testProposals: { perLevel: 1000, max: 1000 } as ProposalOptions,
  boxLoss: 'smooth-l1' as const,
};

/**
 * A region proposal network: whether there is an object at each anchor, and where exactly.
 *
 * The loss samples anchors of each image; both parts are divided by the number sampled in the batch. Its box loss is smooth L1
 * with a beta of 1/9 by default, that of the Cascade R-CNN of mmdetection and of torchvision.
 *
 * Source: Ren et al., Faster R-CNN, arXiv 1506.01497; equal to mmdetection's `RPNHead` and, with `definition: 'torchvision'`,
 * to torchvision's `RegionProposalNetwork`.
 *
 * @throws DetectionOptionsError if an option is out of range.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { rpn } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const network = rpn({ channels: 8, strides: [8, 16], seed: 1 });
 * const pyramid = [tf.ones<tf.Rank.R4>([1, 8, 12, 8]), tf.ones<tf.Rank.R4>([1, 4, 6, 8])];
 * const [objects] = await network.detect(pyramid, [{ height: 64, width: 96 }]);
 * console.log(objects?.[0]?.box);
 * ```
 */
export function rpn(options: RpnOptions): Rpn {
  return new Rpn(options);
}

/** One decision an anchor: class 0 is an object, 1 is none. */
function objectness(logits: tf.Tensor2D, labels: tf.Tensor1D, weights: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => {
    const isObject = tf.cast(tf.equal(labels, tf.scalar(0, 'int32')), 'float32');
    return sigmoidLoss(tf.reshape(logits, [-1]), isObject, weights);
  });
}
