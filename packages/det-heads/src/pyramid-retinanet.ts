import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type AnchorRegion, octaveSizes } from './anchors.ts';
import { checkInteger, checkPyramid, checkTargets, withDefaults } from './batch.ts';
import type { BoxCoding } from './box-coding.ts';
import { checkAnchors, checkBoxLoss, checkSelect } from './dense/check-options.ts';
import {
  type BoxLossOptions,
  boxLossOf,
  type ClassLoss,
  denseLosses,
  tidyLosses,
  withTotal,
} from './dense/losses.ts';
import { denseOutputs, takeOutputs, tidyOutputs } from './dense/outputs.ts';
import { type SelectOptions, selectDetections } from './dense/select.ts';
import { type AnchorGrid, anchorGrid, assignAnchors, DenseTargets, levelAnchors } from './dense/targets.ts';
import type { Detection, DetectionLosses, DetectionTargets, Detector, ImageSize } from './detection.ts';
import { focalLoss } from './losses/focal.ts';
import { retinaHead } from './retina-head.ts';
import { sampleMatches } from './samplers.ts';

/** Options of {@link pyramidRetinaNet}. */
export interface PyramidRetinaNetOptions extends AnchorRegion, BoxLossOptions, SelectOptions {
  /** Number of classes. */
  classes: number;
  /** Channels of the pyramid's maps. */
  channels: number;
  /** Pixels a cell of each level, finest first. */
  strides: readonly number[];
  /** 3×3 convolutions in each branch of the head; 4 by default. */
  convs?: number;
  /** Width of the head; that of the maps by default. */
  width?: number;
  /** The score that every class starts with; 0.01 by default. */
  prior?: number;
  /** For each level the sides of its square anchors in pixels; by default three from 4 times its stride on, see {@link octaveSizes}. */
  anchorSizes?: readonly (readonly number[])[];
  /** Heights over widths of the anchors; 0.5, 1 and 2 by default. */
  ratios?: readonly number[];
  /** How anchors lie, match and are decoded, where mmdetection (the default) and torchvision differ. */
  definition?: 'mmdet' | 'torchvision';
  /**
   * What the losses are divided by. `'batch'`: the number of anchors with an object in the batch, mmdetection's default;
   * `'image'`: that of each image, and then averaged over the images, torchvision's. By default that of the definition.
   */
  normaliser?: 'batch' | 'image';
  /** IoU from which on an anchor belongs to an object; 0.5 by default. */
  positive?: number;
  /** IoU below which it is background; 0.4 by default. */
  negative?: number;
  /** The standard deviations of the deltas; 1 each by default. */
  stds?: BoxCoding['stds'];
  /** Weight of the own class in the focal loss; 0.25 by default. */
  alpha?: number;
  /** Exponent of the focal loss; 2 by default. */
  gamma?: number;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
}

const defaults = {
  ratios: [0.5, 1, 2] as readonly number[],
  definition: 'mmdet' as const,
  positive: 0.5,
  negative: 0.4,
  alpha: 0.25,
  gamma: 2,
};

class PyramidRetinaNet implements Detector {
  readonly classes: number;
  readonly models: { head: LayersModel };
  private readonly options;
  private readonly coding: BoxCoding;

  constructor(given: PyramidRetinaNetOptions) {
    const options = withDefaults(given, defaults);
    const { classes, strides, definition, ratios } = options;
    checkInteger('classes', classes, 1);
    checkInteger('channels', options.channels, 1);
    const anchorSizes = options.anchorSizes ?? strides.map((stride) => octaveSizes(stride, { definition }));
    checkAnchors({ ...options, anchorSizes });
    checkBoxLoss(options);
    checkSelect(options);
    const normaliser = options.normaliser ?? (definition === 'mmdet' ? 'batch' : 'image');
    this.options = { ...options, anchorSizes, normaliser };
    this.classes = classes;
    this.coding = { stds: options.stds, clip: definition === 'mmdet' ? 'both' : 'growth' };
    this.models = { head: retinaHead({ ...given, anchors: ratios.length * anchorSizes[0]!.length }) };
  }

  loss(
    features: tf.Tensor4D[],
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
  ): DetectionLosses {
    checkPyramid(features, this.options, sizes);
    checkTargets(targets, sizes.length, this.classes);
    const { alpha, gamma } = this.options;
    const classLoss: ClassLoss = (logits, labels, weights) =>
      focalLoss(logits, labels, { alpha, gamma, weights });
    return tidyLosses(() => {
      const outputs = denseOutputs(this.models.head, features, this.classes);
      const grid = anchorGrid(outputs.grids, this.options);
      const boxLoss = boxLossOf(this.options, grid, this.coding);
      return withTotal(denseLosses(outputs, this.targetsOf(grid, targets, sizes), classLoss, boxLoss));
    });
  }

  async detect(features: tf.Tensor4D[], sizes: readonly ImageSize[]): Promise<Detection[][]> {
    checkPyramid(features, this.options, sizes);
    const outputs = tidyOutputs(() => denseOutputs(this.models.head, features, this.classes));
    const anchors = levelAnchors(outputs.grids, this.options);
    const images = await takeOutputs(outputs);
    return images.map((image, i) =>
      selectDetections(image, anchors, sizes[i]!, this.classes, this.coding, this.options),
    );
  }

  dispose(): void {
    this.models.head.dispose();
  }

  private targetsOf(
    grid: AnchorGrid,
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
  ): DenseTargets {
    const { positive, negative, definition: lowQuality, normaliser } = this.options;
    const all = { size: Infinity, positiveShare: 1 };
    const samples = targets.map((target, i) => {
      const matches = assignAnchors(grid, target, sizes[i]!, { positive, negative, lowQuality });
      return { ...sampleMatches(matches, all), matches, target };
    });
    const counts = samples.map(({ positives }) => Math.max(1, positives.length));
    const total = counts.reduce((a, b) => a + b, 0);
    const dense = new DenseTargets(targets.length, grid, this.classes);
    for (const [i, { positives, negatives, matches, target }] of samples.entries()) {
      const weight = normaliser === 'batch' ? 1 / total : 1 / (counts[i]! * targets.length);
      const own = { anchors: positives, matches, labels: target.labels, targets: target };
      dense.setPositives(i, own, this.coding, weight);
      dense.setNegatives(i, negatives, weight);
    }
    return dense;
  }
}

/**
 * RetinaNet over a pyramid that is there already: RetinaNet without its neck.
 *
 * Its losses are `classes`, focal, and `boxes`, by default the absolute difference of the deltas. The loss reads no tensor,
 * so that it runs on asynchronous backends too.
 *
 * Source: Lin et al., arXiv 1708.02002; equal to mmdetection's `RetinaHead` and, with `definition: 'torchvision'`, to
 * torchvision's `RetinaNetHead` with its post-processing.
 *
 * @throws DetectionOptionsError if an option is out of range.
 */
export function pyramidRetinaNet(options: PyramidRetinaNetOptions): Detector {
  return new PyramidRetinaNet(options);
}
