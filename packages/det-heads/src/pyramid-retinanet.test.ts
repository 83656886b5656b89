import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { expectClose, leakOf, normal, onBackends } from '../../../tests/support/tensors.ts';
import { imageSizes, lossesAndGradients, Reference } from '../test/support/reference.ts';
import { denseOutputs } from './dense/outputs.ts';
import { DetectionInputError } from './errors.ts';
import { type PyramidRetinaNetOptions, pyramidRetinaNet } from './pyramid-retinanet.ts';

const strides = [8, 16, 32, 64, 128];
const shared = {
  classes: 4,
  channels: 16,
  strides,
  scoreThreshold: 0.3,
  perLevel: 100,
  maxDetections: 40,
};

const mmdet = (prefix: string) => (layer: string) => {
  const [branch, kind, i] = layer.split('.') as [string, string, string];
  const short = branch === 'class' ? 'cls' : 'reg';
  return kind === 'convs' ? `${prefix}.${short}_convs.${i}.conv` : `${prefix}.retina_${short}`;
};
const torchvision = (prefix: string) => (layer: string) => {
  const [branch, kind, i] = layer.split('.') as [string, string, string];
  const head = branch === 'class' ? 'classification_head' : 'regression_head';
  const last = branch === 'class' ? 'cls_logits' : 'bbox_reg';
  return `${prefix}.${head}.${kind === 'convs' ? `conv.${i}.0` : last}`;
};

const none = { boxes: new Float32Array(0), labels: new Int32Array(0) };

onBackends('pyramidRetinaNet', () => {
  it('equals mmdetection: outputs, losses, every gradient, detections', async () => {
    const reference = new Reference('mmdet_retina');
    const detector = pyramidRetinaNet({ ...shared, convs: 2 });
    reference.loadConvs(detector.models.head!, mmdet('param'));
    const features = reference.features();
    const targets = reference.targets('gt');
    const { losses, grads, featureGrads } = lossesAndGradients(
      (maps) => detector.loss(maps, targets, imageSizes),
      features,
    );
    for (const [level, map] of features.entries()) {
      const [logits, deltas] = detector.models.head!.apply(map) as tf.Tensor4D[];
      expectClose(logits!, reference.map(`cls.${level}`), 1e-4);
      expectClose(deltas!, reference.map(`reg.${level}`), 1e-4);
    }
    const sum = (name: string) => reference.data(name).reduce((a, b) => a + b, 0);
    expectClose(losses.classes!, [sum('loss.loss_cls')], 0, 1e-5);
    expectClose(losses.boxes!, [sum('loss.loss_bbox')], 0, 1e-5);
    expect(reference.expectGradients(detector.models.head!, grads, mmdet('grad'))).toBe(12);
    featureGrads.forEach((grad, i) => {
      expectClose(grad, reference.map(`feature_grad.${i}`), 1e-5, 1e-4);
    });
    const found = await detector.detect(features, imageSizes);
    reference.expectDetections(found[0]!, 'detections.0');
    reference.expectDetections(found[1]!, 'detections.1');
  });

  it('equals torchvision: outputs, losses, gradients, detections', async () => {
    const reference = new Reference('retinanet');
    const detector = pyramidRetinaNet({ ...shared, definition: 'torchvision' });
    reference.loadConvs(detector.models.head!, torchvision('head'));
    const features = reference.features();
    const targets = reference.targets('target');
    const { losses, grads, featureGrads } = lossesAndGradients(
      (maps) => detector.loss(maps, targets, imageSizes),
      features,
    );
    const { logits, deltas } = denseOutputs(detector.models.head!, features, 4);
    expectClose(tf.concat(logits, 1), reference.data('cls_logits'), 1e-4);
    expectClose(tf.concat(deltas, 1), reference.data('bbox_regression'), 1e-4);
    expectClose(losses.classes!, reference.data('loss.classification'), 0, 1e-5);
    expectClose(losses.boxes!, reference.data('loss.bbox_regression'), 0, 1e-5);
    const compared = reference.expectGradients(detector.models.head!, grads, torchvision('grad'));
    expect(compared).toBe(reference.count('grad.'));
    featureGrads.forEach((grad, i) => {
      expectClose(grad, reference.map(`feature_grad.${i}`), 1e-5, 1e-4);
    });
    const found = await detector.detect(features, imageSizes);
    reference.expectDetections(found[0]!, 'detections.0');
    reference.expectDetections(found[1]!, 'detections.1');
  });

  const small: PyramidRetinaNetOptions = { classes: 1, channels: 4, strides: [8, 16], convs: 1, seed: 1 };
  const features = () => [normal<tf.Rank.R4>([2, 6, 8, 4], 1), normal<tf.Rank.R4>([2, 3, 4, 4], 2)];
  const sizes = [
    { height: 48, width: 64 },
    { height: 40, width: 50 },
  ];
  const one = { boxes: Float32Array.of(5, 5, 40, 30), labels: Int32Array.of(0) };

  it.each([
    ['l1', {}],
    ['smooth-l1', { normaliser: 'image' }],
    ['giou', { skipPadding: true }],
  ] as const)('takes images without objects and crowds, and leaks nothing: %s', (boxLoss, options) => {
    const detector = pyramidRetinaNet({ ...small, ...options, boxLoss });
    const maps = features();
    const crowd = { boxes: Float32Array.of(0, 0, 64, 48), labels: Int32Array.of(0), crowd: Uint8Array.of(1) };
    for (const targets of [
      [one, none],
      [none, none],
      [crowd, one],
    ]) {
      const step = () => {
        const { value, grads } = tf.variableGrads(() => detector.loss(maps, targets, sizes).total);
        for (const t of [value, ...Object.values(grads)]) {
          expect(t.dataSync().every(Number.isFinite)).toBe(true);
        }
        tf.dispose([value, grads]);
      };
      expect(leakOf(step)).toBe(0);
    }
  });

  it('has the gradient of its differences with decoded boxes', () => {
    const detector = pyramidRetinaNet({ ...small, boxLoss: 'giou', boxLossWeight: 2 });
    const [kernel] = detector.models.head!.getLayer('box.deltas').getWeights(true) as [tf.Tensor];
    expect(kernel.shape).toEqual([3, 3, 4, 36]);
    const maps = features().map((map) => tf.mul(map, 0.1)) as tf.Tensor4D[];
    const { losses, featureGrads } = lossesAndGradients(
      (maps) => detector.loss(maps, [one, one], sizes),
      maps,
    );
    expect(losses.boxes!.dataSync()[0]!).toBeGreaterThan(0);
    expect(featureGrads.every((g) => g.dataSync().every(Number.isFinite))).toBe(true);
  });

  it('finds nothing where nothing is sure enough, and leaks nothing', async () => {
    const maps = features();
    for (const softNms of [undefined, { max: 3 }]) {
      const detector = pyramidRetinaNet({ ...small, softNms, scoreThreshold: 0.5 });
      const eager = pyramidRetinaNet({ ...small, softNms, scoreThreshold: 0.001, maxDetections: 3 });
      const before = tf.memory().numTensors;
      expect(await detector.detect(maps, sizes)).toEqual([[], []]);
      const found = await eager.detect(maps, sizes);
      expect(found.map((d) => d.length)).toEqual([3, 3]);
      for (const { box } of found[1]!) {
        expect(box[2]).toBeLessThanOrEqual(50);
        expect(box[3]).toBeLessThanOrEqual(40);
      }
      expect(tf.memory().numTensors).toBe(before);
    }
  });

  it.each([
    ['the features do not fit', (maps: tf.Tensor4D[]) => [maps.slice(1), [one, none], sizes]],
    ['there is not one size an image', (maps: tf.Tensor4D[]) => [maps, [one, none], sizes.slice(1)]],
    ['there are not one image’s targets', (maps: tf.Tensor4D[]) => [maps, [one], sizes]],
    [
      'image 1: a label is no class',
      (maps: tf.Tensor4D[]) => [maps, [one, { ...one, labels: Int32Array.of(1) }], sizes],
    ],
    [
      'image 0: boxes and labels',
      (maps: tf.Tensor4D[]) => [maps, [{ ...one, labels: Int32Array.of(0, 0) }, none], sizes],
    ],
    [
      'image 0: box 0 is not finite',
      (maps: tf.Tensor4D[]) => [maps, [{ ...one, boxes: Float32Array.of(0, Number.NaN, 9, 9) }, none], sizes],
    ],
  ] as const)('names input that does not fit: %s', (what, made) => {
    const detector = pyramidRetinaNet(small);
    const args = made(features()) as unknown as Parameters<typeof detector.loss>;
    expect(() => detector.loss(...args)).toThrow(DetectionInputError);
    expect(() => detector.loss(...args)).toThrow(what);
  });
});

describe('pyramidRetinaNet', () => {
  it('starts every class at the prior', async () => {
    await tf.setBackend('cpu');
    const detector = pyramidRetinaNet({
      classes: 2,
      channels: 4,
      strides: [8],
      prior: 0.02,
      scoreThreshold: 0.001,
    });
    const [found] = await detector.detect([tf.zeros([1, 2, 2, 4])], [{ height: 16, width: 16 }]);
    for (const { score } of found!) expect(score).toBeCloseTo(0.02, 6);
  });
});
