import { decodeRle } from '@e3va/metrics';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { expectClose } from '../../../../tests/support/tensors.ts';
import type { Detector } from '../../src/detection.ts';
import { pyramidRcnn } from '../../src/roi/rcnn.ts';
import { findMasks } from '../../src/roi/roi-detections.ts';
import { RoiHeads } from '../../src/roi/roi-heads.ts';
import { completed, type RoiHeadsOptions } from '../../src/roi/roi-options.ts';
import { type Rpn, rpn } from '../../src/rpn.ts';
import { gradientsOf, imageSizes, Reference } from './reference.ts';
import { expectTorchGradients, loadTorch, type RowOrder } from './roi-weights.ts';

const stage = { iou: 0.5, stds: [0.1, 0.1, 0.2, 0.2] } as const;
const rpnOptions = {
  anchorSizes: [[16], [32], [64], [96], [128]],
  sample: { size: 32, positiveShare: 0.5 },
  trainProposals: { perLevel: 120, max: 60 },
  testProposals: { perLevel: 60, max: 30 },
};
const roiOptions = {
  classes: 3,
  beta: 1 / 9,
  samples: 24,
  scoreThreshold: 0.15,
  maxDetections: 12,
  definition: 'torchvision',
} as const;
const channels = 16;
const strides = [4, 8, 16, 32, 64];

const rpnNames = (layer: string) =>
  `rpn.${{ conv: 'conv.0.0', class: 'cls_logits', box: 'bbox_pred' }[layer]}`;
const boxNames = (layer: string) =>
  ({
    'dense.0': 'box_head.fc6',
    'dense.1': 'box_head.fc7',
    cls: 'box_predictor.cls_score',
    reg: 'box_predictor.bbox_pred',
  })[layer]!;
const maskNames = (layer: string) =>
  ({
    'convs.0': 'mask_head.0.0',
    'convs.1': 'mask_head.1.0',
    up: 'mask_predictor.conv5_mask',
    logits: 'mask_predictor.mask_fcn_logits',
  })[layer]!;

/** The background's logit to the end; neither boxes nor masks of the background. */
const backgroundLast: RowOrder = (layer, weight) => {
  const rows = (from: number, count: number) => tf.slice(weight, from, count);
  const all = weight.shape[0]!;
  if (layer === 'cls') return tf.concat([rows(1, all - 1), rows(0, 1)]);
  if (layer === 'reg') return rows(4, all - 4);
  return layer === 'logits' ? rows(1, all - 1) : weight;
};

/** A small Mask R-CNN of torchvision's. */
export class MaskRcnnReference {
  private readonly reference = new Reference('mask_rcnn');
  private readonly detector: Detector;
  private readonly rpn: Rpn;
  private readonly options: RoiHeadsOptions;
  private readonly targets;

  constructor() {
    this.detector = pyramidRcnn({
      ...roiOptions,
      channels,
      strides,
      pooledLevels: 4,
      stages: [stage],
      boxHead: { denseChannels: 24 },
      maskHead: { convs: 2, convChannels: channels },
      rpn: rpnOptions,
    });
    const { rpn: rpnHead, boxHead, maskHead } = this.detector.models;
    loadTorch(rpnHead!, this.reference, rpnNames);
    loadTorch(boxHead!, this.reference, boxNames, backgroundLast);
    loadTorch(maskHead!, this.reference, maskNames, backgroundLast);
    const stages = [{ ...stage, boxHead: boxHead!, maskHead: maskHead! }];
    this.options = { ...roiOptions, strides: strides.slice(0, 4), stages };
    // the reference adds jittered objects to the proposals, so the two parts are run one after the other
    this.rpn = rpn({ ...rpnOptions, channels, strides, definition: 'torchvision' });
    this.rpn.models.rpn.setWeights(rpnHead!.getWeights());
    this.targets = this.reference.targets('target', 1).map((target, i) => {
      const data = Uint8Array.from(this.reference.data(`target.${i}.masks`));
      return { ...target, masks: { ...imageSizes[i]!, data } };
    });
  }

  /** Losses and the gradients of every weight and map, both parts together. */
  expectTraining(): void {
    const { reference } = this;
    const first = { rng: () => 0 };
    const proposals = [0, 1].map((i) => reference.data(`train.proposals.${i}`));
    const heads = new RoiHeads(this.options);
    const names = {
      rpnClasses: 'loss_objectness',
      rpnBoxes: 'loss_rpn_box_reg',
      classes: 'loss_classifier',
      boxes: 'loss_box_reg',
      masks: 'loss_mask',
    };
    const values = new Map<string, tf.Tensor>();
    const { grads, featureGrads } = gradientsOf((maps) => {
      const own = this.rpn.loss(maps, this.targets, imageSizes, first).losses;
      const losses = { ...own, ...heads.loss(maps.slice(0, 4), proposals, this.targets, imageSizes, first) };
      for (const [name, loss] of Object.entries(losses)) values.set(name, tf.keep(loss));
      return tf.addN(Object.values(losses));
    }, reference.features());
    expect([...values.keys()].sort()).toEqual(Object.keys(names).sort());
    for (const [name, loss] of values) {
      expectClose(loss, reference.data(`loss.${names[name as keyof typeof names]}`), 0, 1e-5);
    }
    const { boxHead, maskHead } = this.detector.models;
    const compared =
      expectTorchGradients(this.rpn.models.rpn, grads, reference, rpnNames) +
      expectTorchGradients(boxHead!, grads, reference, boxNames, backgroundLast) +
      expectTorchGradients(maskHead!, grads, reference, maskNames, backgroundLast);
    expect(compared).toBe(reference.count('grad.'));
    for (const i of [1, 2, 3, 4]) {
      expectClose(featureGrads[i]!, reference.map(`feature_grad.${i}`), 1e-5, 1e-4);
    }
  }

  /** The whole detector: proposals, boxes, masks. */
  async expectDetections(): Promise<void> {
    const { reference } = this;
    const features = reference.features();
    const found = await this.detector.detect(features, imageSizes);
    for (const [i, detections] of found.entries()) {
      reference.expectDetections(detections, `detections.${i}`, 1);
      const boxes = Float32Array.from(detections.flatMap(({ box }) => box));
      const scores = Float32Array.from(detections, ({ score }) => score);
      const labels = Int32Array.from(detections, ({ label }) => label);
      const image = { maps: features.slice(0, 4), index: i, size: imageSizes[i]!, proposals: boxes };
      const masks = await findMasks(completed(this.options), image, { boxes, scores, labels });
      expectClose(masks!, reference.data(`detections.${i}.masks`), 1e-5);
      const pixels = detections.slice(0, 4).flatMap(({ mask }) => [...decodeRle(mask!)]);
      expect(pixels).toEqual([...reference.data(`pasted.${i}`)]);
    }
  }
}
