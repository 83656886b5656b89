import { decodeRle } from '@e3va/metrics';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { expectClose } from '../../../../tests/support/tensors.ts';
import type { Detection, DetectionTargets } from '../../src/detection.ts';
import { boxHead } from '../../src/roi/box-head.ts';
import { maskHead } from '../../src/roi/mask-head.ts';
import { findMasks } from '../../src/roi/roi-detections.ts';
import { RoiHeads } from '../../src/roi/roi-heads.ts';
import { completed, type RoiHeadsOptions, type RoiStage } from '../../src/roi/roi-options.ts';
import { gradientsOf, imageSizes, Reference } from './reference.ts';
import { expectTorchGradients, loadTorch, type TorchNames } from './roi-weights.ts';

/** The coding, thresholds and weights of the stages. */
const stages = [
  { iou: 0.5, stds: [0.1, 0.1, 0.2, 0.2], weight: 1 },
  { iou: 0.6, stds: [0.05, 0.05, 0.1, 0.1], weight: 0.5 },
  { iou: 0.7, stds: [0.033, 0.033, 0.067, 0.067], weight: 0.25 },
] as const;

/** Names of a stage's modules in the reference. */
const boxNames =
  (stage: number): TorchNames =>
  (layer) => {
    const [kind, index, part] = layer.split('.');
    if (kind === 'convs') return `head.${stage}.${part === 'norm' ? 'bns' : 'convs'}.${index}`;
    return `head.${stage}.${kind === 'dense' ? `fcs.${index}` : kind}`;
  };
const maskNames =
  (stage: number): TorchNames =>
  (layer) =>
    `mask_head.${stage}.${layer === 'convs.0' ? 'conv' : layer}`;

/** A small cascade of mmdetection's: class-agnostic with masks, or with convolutions, GIoU and a box a class. */
export class CascadeReference {
  private readonly reference: Reference;
  private readonly options: RoiHeadsOptions;
  private readonly heads: RoiHeads;
  private readonly targets: DetectionTargets[];
  private readonly proposals: Float32Array[];

  constructor(private readonly variant: 'smooth_l1' | 'giou') {
    this.reference = new Reference(`cascade_${variant}`);
    this.options = {
      classes: 4,
      strides: [4, 8, 16, 32],
      stages: stages.map((numbers, s): RoiStage => ({ ...this.stage(s), ...numbers })),
      ...(variant === 'giou' && { boxLoss: 'giou', boxLossWeight: 10 }),
    };
    this.heads = new RoiHeads(this.options);
    this.proposals = [0, 1].map((i) => this.reference.data(`proposals.${i}`));
    this.targets = this.reference.targets('target').map((target, i) => {
      if (variant === 'giou') return target;
      return {
        ...target,
        masks: { ...imageSizes[i]!, data: Uint8Array.from(this.reference.data(`target.${i}.masks`)) },
      };
    });
  }

  /** Losses, the gradients of every weight and map, running statistics. */
  expectTraining(): void {
    const { reference } = this;
    const renamed = { classes: 'loss_cls', boxes: 'loss_bbox', masks: 'loss_mask' };
    const values = new Map<string, tf.Tensor>();
    const { grads, featureGrads } = gradientsOf((maps) => {
      const losses = this.heads.loss(maps, this.proposals, this.targets, imageSizes);
      for (const [name, loss] of Object.entries(losses)) values.set(name, tf.keep(loss));
      return tf.addN(Object.values(losses));
    }, reference.features());
    expect(values.size).toBe(reference.count('loss.'));
    for (const [name, loss] of values) {
      const [stage, kind] = name.split('.') as [string, keyof typeof renamed];
      expectClose(loss, reference.data(`loss.${stage.replace('stage', 's')}.${renamed[kind]}`), 0, 1e-5);
    }
    let compared = 0;
    for (const [s, { boxHead, maskHead }] of this.options.stages.entries()) {
      compared += expectTorchGradients(boxHead, grads, reference, boxNames(s));
      if (maskHead) compared += expectTorchGradients(maskHead, grads, reference, maskNames(s));
      this.expectStatistics(boxHead, s);
    }
    expect(compared).toBe(reference.count('grad.'));
    for (const i of [1, 2, 3]) {
      expectClose(featureGrads[i]!, reference.map(`feature_grad.${i}`), 1e-5, 1e-4);
    }
  }

  /** Detections after the training step above, whose statistics they use. */
  async expectDetections(): Promise<void> {
    const maps = this.reference.features();
    const found = await this.heads.detect(maps, this.proposals, imageSizes);
    for (const [i, detections] of found.entries()) {
      this.reference.expectDetections(detections, `detections.${i}`);
      if (this.variant === 'smooth_l1') await this.expectMasks(maps, detections, i);
    }
  }

  private stage(s: number): Pick<RoiStage, 'boxHead' | 'maskHead'> {
    const giou = this.variant === 'giou';
    const shape = giou ? { convs: 2, norm: true, dense: 1 } : { classAgnostic: true };
    const box = boxHead({ channels: 16, classes: 4, denseChannels: 24, ...shape });
    loadTorch(box, this.reference, boxNames(s));
    if (giou) return { boxHead: box };
    const mask = maskHead({ channels: 16, classes: 4, convs: 1, convChannels: 16 });
    loadTorch(mask, this.reference, maskNames(s));
    return { boxHead: box, maskHead: mask };
  }

  private expectStatistics(head: LayersModel, stage: number): void {
    const names = { runningMean: 'running_mean', runningVariance: 'running_var' };
    for (const weight of head.nonTrainableWeights) {
      const [layer, kind] = weight.originalName.split('/') as [string, keyof typeof names];
      const buffer = `buffer.${boxNames(stage)(layer).slice('head.'.length)}.${names[kind]}`;
      expectClose(weight.read(), this.reference.data(buffer), 1e-5, 1e-5);
    }
  }

  private async expectMasks(maps: tf.Tensor4D[], detections: Detection[], index: number): Promise<void> {
    const few = detections.slice(0, 6);
    const found = {
      boxes: Float32Array.from(few.flatMap(({ box }) => box)),
      scores: Float32Array.from(few, ({ score }) => score),
      labels: Int32Array.from(few, ({ label }) => label),
    };
    const image = { maps, index, size: imageSizes[index]!, proposals: found.boxes };
    const masks = await findMasks(completed(this.options), image, found);
    expectClose(masks!, this.reference.data(`detections.${index}.mask_probs`), 1e-5);
    // a pixel may lie just where the threshold is
    const pasted = this.reference.data(`detections.${index}.pasted`);
    const pixels = few.slice(0, 2).flatMap(({ mask }) => [...decodeRle(mask!)]);
    expect(pixels.length).toBe(pasted.length);
    expect(pixels.filter((v, k) => v !== pasted[k]).length).toBeLessThanOrEqual(1);
  }
}
