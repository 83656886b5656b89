import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { leakOf, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { MaskRcnnReference } from '../../test/support/mask-rcnn.ts';
import type { DetectionTargets, Detector } from '../detection.ts';
import { DetectionInputError, DetectionOptionsError } from '../errors.ts';
import { cascadeRcnn } from './cascade-rcnn.ts';
import { fasterRcnn, maskRcnn } from './faster-rcnn.ts';
import type { RcnnOptions } from './presets.ts';

onBackends('Mask R-CNN', (backend) => {
  // on cpu in the slow tests
  it.skipIf(backend === 'cpu')('equals torchvision: losses and gradients', () => {
    new MaskRcnnReference().expectTraining();
  });

  it('equals torchvision: proposals, boxes and masks', () => new MaskRcnnReference().expectDetections());
});

const levels = [4, 6].map((channels, i) => ({ name: `level${i}`, channels, stride: 8 << i }));
const size = { height: 48, width: 64 };
const sizes = [size, { height: 40, width: 50 }];
const features = () =>
  levels.map(({ channels, stride }, i) => normal<tf.Rank.R4>([2, 48 / stride, 64 / stride, channels], i + 1));

const tiny = {
  levels,
  classes: 2,
  preset: 'light',
  channels: 4,
  samples: 8,
  boxHead: { denseChannels: 6 },
  rpn: {
    sample: { size: 16, positiveShare: 0.5 },
    trainProposals: { perLevel: 20, max: 12 },
    testProposals: { perLevel: 20, max: 12 },
  },
  scoreThreshold: 0.1,
  maxDetections: 5,
  seed: 1,
} satisfies RcnnOptions;
const maskHead = { convs: 1, convChannels: 4 };
const kinds = {
  fasterRcnn: (options: Partial<RcnnOptions> = {}) => fasterRcnn({ ...tiny, ...options }),
  maskRcnn: (options: Partial<RcnnOptions> = {}) => maskRcnn({ ...tiny, maskHead, ...options }),
  cascadeRcnn: (options: Partial<RcnnOptions> = {}) => cascadeRcnn({ ...tiny, maskHead, ...options }),
};
const names = Object.keys(kinds) as (keyof typeof kinds)[];

const none: DetectionTargets = { boxes: new Float32Array(0), labels: new Int32Array(0) };
/** One object, which fills its box, beside a crowd. */
const some: DetectionTargets = {
  boxes: Float32Array.of(8, 8, 40, 32, 0, 0, 10, 10),
  labels: Int32Array.of(0, 1),
  crowd: Uint8Array.of(0, 1),
  masks: { ...size, data: new Uint8Array(2 * 48 * 64).fill(1) },
};
/** No proposal survives. */
const noProposals = {
  rpn: { trainProposals: { perLevel: 0, max: 0 }, testProposals: { perLevel: 0, max: 0 } },
};

/** One gradient step: finite losses and gradients, nothing left behind. */
function expectStep(detector: Detector, targets: DetectionTargets[]): Record<string, number> {
  const maps = features();
  let values: Record<string, number> = {};
  const step = () => {
    const { value, grads } = tf.variableGrads(() => {
      const { total, losses } = detector.loss(maps, targets, sizes);
      values = Object.fromEntries(Object.entries(losses).map(([name, loss]) => [name, loss.dataSync()[0]!]));
      return total;
    });
    const sum = Object.values(values).reduce((a, b) => a + b, 0);
    expect(value.dataSync()[0]).toBeCloseTo(sum, 4);
    for (const v of [sum, ...Object.values(grads).flatMap((grad) => [...grad.dataSync()])]) {
      expect(Number.isFinite(v)).toBe(true);
    }
    tf.dispose([value, grads]);
  };
  expect(leakOf(step)).toBe(0);
  tf.dispose(maps);
  return values;
}

onBackends('two-stage detectors', () => {
  it.each(names)('%s has losses by name, with and without objects', (kind) => {
    const detector = kinds[kind]();
    const parts = kind === 'fasterRcnn' ? ['classes', 'boxes'] : ['classes', 'boxes', 'masks'];
    const stages = kind === 'cascadeRcnn' ? ['stage0.', 'stage1.', 'stage2.'] : [''];
    const expected = stages.flatMap((stage) => parts.map((part) => stage + part));
    const values = expectStep(detector, [some, none]);
    expect(Object.keys(values)).toEqual(['rpnClasses', 'rpnBoxes', ...expected]);
    for (const name of expected) expect(values[name], name).toBeGreaterThan(0);
    const empty = expectStep(detector, [none, none]);
    for (const name of expected) {
      if (name.endsWith('classes')) expect(empty[name], name).toBeGreaterThan(0);
      else expect(empty[name], name).toBe(0);
    }
    detector.dispose();
  });

  it.each(names)('%s takes images without proposals', async (kind) => {
    const detector = kinds[kind](noProposals);
    const values = expectStep(detector, [none, none]);
    for (const [name, value] of Object.entries(values)) {
      if (!name.startsWith('rpn')) expect(value, name).toBe(0);
    }
    expectStep(detector, [some, none]); // the objects' own boxes alone
    expect(await detector.detect(features(), sizes)).toEqual([[], []]);
    detector.dispose();
  });

  it.each(names)(
    '%s finds objects inside the images, best first, and leaves no tensor behind',
    async (kind) => {
      const before = tf.memory().numTensors;
      const detector = kinds[kind]();
      const maps = features();
      const held = tf.memory().numTensors;
      const found = await detector.detect(maps, sizes);
      expect(tf.memory().numTensors).toBe(held);
      for (const [i, { height, width }] of sizes.entries()) {
        expect(found[i]!.length).toBe(5);
        const scores = found[i]!.map(({ score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
        for (const { box, label, mask } of found[i]!) {
          const [x1, y1, x2, y2] = box;
          expect(x1 >= 0 && y1 >= 0 && x2 <= width && y2 <= height && x2 >= x1 && y2 >= y1).toBe(true);
          expect([0, 1]).toContain(label);
          expect(mask?.size).toEqual(kind === 'fasterRcnn' ? undefined : [height, width]);
        }
      }
      tf.dispose(maps);
      detector.dispose();
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('leave nothing but their losses outside of a gradient', () => {
    const detector = kinds.cascadeRcnn();
    const maps = features();
    expect(leakOf(() => tf.dispose({ ...detector.loss(maps, [some, none], sizes) }))).toBe(0);
  });

  it('takes a single class', async () => {
    const detector = kinds.maskRcnn({ classes: 1 });
    expectStep(detector, [{ ...some, labels: Int32Array.of(0, 0) }, none]);
    const found = await detector.detect(features(), sizes);
    expect(found.flat().every(({ label }) => label === 0)).toBe(true);
  });
});

describe('two-stage detectors', () => {
  it('name their models', async () => {
    await tf.setBackend('cpu');
    const of = (detector: Detector) => Object.keys(detector.models);
    expect(of(kinds.fasterRcnn())).toEqual(['neck', 'rpn', 'boxHead']);
    expect(of(kinds.maskRcnn())).toEqual(['neck', 'rpn', 'boxHead', 'maskHead']);
    const stages = [0, 1, 2].flatMap((s) => [`boxHead${s}`, `maskHead${s}`]);
    expect(of(kinds.cascadeRcnn())).toEqual(['neck', 'rpn', ...stages]);
    expect(of(cascadeRcnn({ ...tiny, masks: false }))).toEqual([
      'neck',
      'rpn',
      ...[0, 1, 2].map((s) => `boxHead${s}`),
    ]);
  });

  it('start alike from one seed, every model differently', async () => {
    await tf.setBackend('cpu');
    const weights = (seed: number) => {
      const { models } = kinds.cascadeRcnn({ seed });
      return Object.values(models).flatMap((model) => model.getWeights().map((w) => [...w.dataSync()]));
    };
    expect(weights(3)).toEqual(weights(3));
    const kernels = weights(3).filter((values) => values.some((v) => v !== 0));
    expect(new Set(kernels.map((values) => values.slice(0, 6).join())).size).toBe(kernels.length);
    expect(weights(4)).not.toEqual(weights(3));
  });

  it('name bad input and bad options', async () => {
    await tf.setBackend('cpu');
    const detector = kinds.maskRcnn();
    const loss = (targets: DetectionTargets) => () => detector.loss(features(), [targets, none], sizes);
    const { masks: _, ...unmasked } = some;
    expect(loss(unmasked)).toThrow(DetectionInputError);
    expect(loss(unmasked)).toThrow('image 0 of the batch has objects but no masks');
    const short = { ...some, masks: { ...size, data: new Uint8Array(48 * 64) } };
    expect(loss(short)).toThrow('targets of image 0: masks and boxes are not as many');
    expect(loss({ ...some, labels: Int32Array.of(0, 2) })).toThrow('targets of image 0: a label is no class');
    expect(() => detector.loss(features().slice(1), [none, none], sizes)).toThrow('the features do not fit');
    expect(() => kinds.fasterRcnn({ classes: 0 })).toThrow(DetectionOptionsError);
    expect(() => kinds.fasterRcnn({ classes: 0 })).toThrow('classes is not valid');
  });
});
