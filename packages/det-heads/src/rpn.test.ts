import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectClose, leakOf, normal, onBackends } from '../../../tests/support/tensors.ts';
import { imageSizes, lossesAndGradients, Reference } from '../test/support/reference.ts';
import { rpn } from './rpn.ts';

const first = { rng: () => 0 };

const mmdet = {
  reference: new Reference('mmdet_rpn'),
  build: () =>
    rpn({
      channels: 16,
      strides: [8, 16, 32, 64],
      anchorSizes: [8, 16, 32, 64].map((stride) => [4 * stride]),
      sample: { size: 64, positiveShare: 0.5 },
      border: 0,
      testProposals: { perLevel: 100, max: 60 },
    }),
  weights: (prefix: string) => (layer: string) =>
    `${prefix}.${{ conv: 'rpn_conv', class: 'rpn_cls', box: 'rpn_reg' }[layer]}`,
};

const torchvision = {
  reference: new Reference('mask_rcnn'),
  build: () =>
    rpn({
      channels: 16,
      strides: [4, 8, 16, 32, 64],
      anchorSizes: [[16], [32], [64], [96], [128]],
      definition: 'torchvision',
      sample: { size: 32, positiveShare: 0.5 },
      trainProposals: { perLevel: 120, max: 60 },
      testProposals: { perLevel: 60, max: 30 },
    }),
  weights: (prefix: string) => (layer: string) =>
    `${prefix}.${{ conv: 'conv.0.0', class: 'cls_logits', box: 'bbox_pred' }[layer]}`,
};

onBackends('rpn', () => {
  it('equals mmdetection: outputs, losses, gradients, proposals', async () => {
    const { reference, build, weights } = mmdet;
    const network = build();
    reference.loadConvs(network.models.rpn, weights('param'));
    const features = reference.features();
    const targets = reference.targets('gt');
    const run = (maps: tf.Tensor4D[]) => network.loss(maps, targets, imageSizes, first);
    const { losses, grads, featureGrads } = lossesAndGradients(run, features);
    for (const [level, map] of features.entries()) {
      const [logits, deltas] = network.models.rpn.apply(map) as tf.Tensor4D[];
      expectClose(logits!, reference.map(`cls.${level}`), 1e-4);
      expectClose(deltas!, reference.map(`reg.${level}`), 1e-4);
    }
    const sum = (name: string) => reference.data(name).reduce((a, b) => a + b, 0);
    expectClose(losses.rpnClasses!, [sum('loss.loss_rpn_cls')], 0, 1e-5);
    expectClose(losses.rpnBoxes!, [sum('loss.loss_rpn_bbox')], 0, 1e-5);
    expect(reference.expectGradients(network.models.rpn, grads, weights('grad'))).toBe(6);
    featureGrads.forEach((grad, i) => {
      expectClose(grad, reference.map(`feature_grad.${i}`), 1e-5, 1e-4);
    });
    const found = await network.detect(features, imageSizes);
    reference.expectDetections(found[0]!, 'detections.0');
    reference.expectDetections(found[1]!, 'detections.1');
  });

  it('equals torchvision: losses, gradients, proposals', async () => {
    const { reference, build, weights } = torchvision;
    const network = build();
    reference.loadConvs(network.models.rpn, weights('rpn'));
    const features = reference.features();
    const targets = reference.targets('target');
    const run = (maps: tf.Tensor4D[]) => network.loss(maps, targets, imageSizes, first);
    const { losses, grads } = lossesAndGradients(run, features);
    expectClose(losses.rpnClasses!, reference.data('loss.loss_objectness'), 0, 1e-5);
    expectClose(losses.rpnBoxes!, reference.data('loss.loss_rpn_box_reg'), 0, 1e-5);
    expect(reference.expectGradients(network.models.rpn, grads, weights('grad.rpn'))).toBe(6);
    const proposals = network.proposals(network.forward(features), imageSizes);
    const found = await network.takeProposals(network.forward(features), imageSizes);
    for (const image of [0, 1]) {
      expectClose(found[image]!.boxes, reference.data(`test.proposals.${image}`), 1e-3);
      const inTraining = reference.data(`train.proposals.${image}`).subarray(0, 240); // jittered objects follow
      expectClose(proposals[image]!.boxes, inTraining, 1e-3);
    }
  });

  it('takes images without objects, and leaks nothing', async () => {
    const network = rpn({ channels: 4, strides: [8, 16], seed: 1, sample: { size: 8, positiveShare: 0.5 } });
    const features = [normal<tf.Rank.R4>([2, 6, 8, 4], 1), normal<tf.Rank.R4>([2, 3, 4, 4], 2)];
    const none = { boxes: new Float32Array(0), labels: new Int32Array(0) };
    const one = { boxes: Float32Array.of(5, 5, 40, 30), labels: Int32Array.of(7) };
    const sizes = imageSizes.map(() => ({ height: 48, width: 64 }));
    for (const targets of [
      [none, none],
      [one, none],
    ]) {
      const step = () => {
        const { value, grads } = tf.variableGrads(() => network.loss(features, targets, sizes).total);
        expect(Number.isFinite(value.dataSync()[0])).toBe(true);
        expect(Object.keys(grads).length).toBe(6);
        tf.dispose([value, grads]);
      };
      expect(leakOf(step)).toBe(0);
    }
    const before = tf.memory().numTensors;
    const found = await network.detect(features, sizes);
    expect(found.map((d) => d.length > 0)).toEqual([true, true]);
    expect(tf.memory().numTensors).toBe(before);
    network.dispose();
    expect(tf.memory().numTensors).toBe(before - 6);
  });
});
