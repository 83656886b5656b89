import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leakOf, normal, onBackends } from '../../../tests/support/tensors.ts';
import { boxOverlaps } from './boxes.ts';
import type { DetectionTargets } from './detection.ts';
import { DetectionInputError, DetectionOptionsError } from './errors.ts';
import { retinaNet } from './retinanet.ts';

const levels = [8, 16, 32, 64].map((channels, i) => ({ name: `c${i}`, channels, stride: 4 << i }));

describe('retinaNet', () => {
  it('has the parameters of its preset', async () => {
    await tf.setBackend('cpu');
    const count = (preset: 'paper' | 'light') => {
      const detector = retinaNet({
        levels: [96, 192, 384, 768].map((channels, i) => ({ name: `c${i}`, channels, stride: 4 << i })),
        classes: 20,
        preset,
      });
      const counts = Object.values(detector.models).map((model) => model.countParams());
      detector.dispose();
      return counts;
    };
    const conv = (from: number, to: number, size = 3) => size * size * from * to + to;
    // laterals of three levels, three outputs, P6 from the coarsest level, P7; two branches and their ends
    const neck = (c: number) =>
      conv(192, c, 1) + conv(384, c, 1) + conv(768, c, 1) + 4 * conv(c, c) + conv(768, c);
    const head = (c: number, convs: number) => 2 * convs * conv(c, c) + conv(c, 9 * 20) + conv(c, 9 * 4);
    expect(count('paper')).toEqual([neck(256), head(256, 4)]);
    expect(head(256, 4)).toBe(5_218_520);
    expect(count('light')).toEqual([neck(64), head(64, 2)]);
  });

  it('names levels that are too fine, and features that do not fit', () => {
    expect(() => retinaNet({ levels: levels.slice(0, 1), classes: 2 })).toThrow(DetectionOptionsError);
    const detector = retinaNet({ levels, classes: 2, preset: 'light' });
    const size = { height: 64, width: 64 };
    expect(() => detector.loss([tf.zeros([1, 16, 16, 8])], [], [size])).toThrow(DetectionInputError);
    detector.dispose();
  });
});

/** The cpu backend, which throws where a tensor is read at once; its own kernels may. */
async function waitingBackend(): Promise<tf.KernelBackend> {
  await tf.setBackend('cpu');
  const Backend = (tf.backend() as object).constructor as new () => tf.KernelBackend;
  class Waiting extends Backend {
    override readSync(): never {
      throw new Error('a tensor was read without waiting for it');
    }
    override async read(dataId: object): Promise<tf.BackendValues> {
      return super.readSync(dataId);
    }
    bufferSync({ shape, dtype, dataId }: tf.TensorInfo): unknown {
      return tf.buffer(shape, dtype, super.readSync(dataId) as Float32Array);
    }
  }
  return new Waiting();
}

describe('retinaNet where numbers come later', () => {
  beforeAll(async () => {
    const backend = await waitingBackend();
    tf.registerBackend('waiting', () => backend);
    tf.copyRegisteredKernels('cpu', 'waiting');
    await tf.setBackend('waiting');
  });
  afterAll(async () => {
    await tf.setBackend('cpu');
    tf.removeBackend('waiting');
  });

  it.each(['l1', 'smooth-l1', 'giou'] as const)('learns and finds without a read: %s', async (boxLoss) => {
    expect(() => tf.scalar(1).dataSync()).toThrow('read without waiting');
    const detector = retinaNet({ levels, classes: 2, preset: 'light', channels: 4, boxLoss, seed: 1 });
    const { features, targets } = fourImages();
    const sizes = targets.map(() => ({ height: 64, width: 64 }));
    const none = targets.map(() => ({ boxes: new Float32Array(0), labels: new Int32Array(0) }));
    const optimizer = tf.train.sgd(0.01);
    for (const objects of [targets, none]) {
      const loss = optimizer.minimize(() => detector.loss(features, objects, sizes).total, true);
      expect(Number.isFinite((await loss!.data())[0])).toBe(true);
    }
    expect((await detector.detect(features, sizes)).length).toBe(4);
    detector.dispose();
  });
});

/** Four images as fixed random features, their objects boxes of the two classes. */
function fourImages(): { features: tf.Tensor4D[]; targets: DetectionTargets[] } {
  const boxes = [
    [4, 6, 40, 50, 36, 30, 60, 60],
    [10, 10, 54, 34],
    [2, 30, 30, 62, 34, 2, 62, 30],
    [16, 16, 48, 56],
  ];
  return {
    features: levels.map(({ channels, stride }, i) =>
      normal<tf.Rank.R4>([4, 64 / stride, 64 / stride, channels], i + 1),
    ),
    targets: boxes.map((b, image) => ({
      boxes: Float32Array.from(b),
      labels: Int32Array.from({ length: b.length / 4 }, (_, i) => (image + i) % 2),
    })),
  };
}

onBackends('retinaNet', (backend) => {
  it('leaves nothing but its losses outside of a gradient', async () => {
    const { features, targets } = fourImages();
    const sizes = targets.map(() => ({ height: 64, width: 64 }));
    const detector = retinaNet({ levels, classes: 2, preset: 'light', channels: 4, seed: 1 });
    expect(leakOf(() => tf.dispose({ ...detector.loss(features, targets, sizes) }))).toBe(0);
    const before = tf.memory().numTensors;
    await detector.detect(features, sizes);
    expect(tf.memory().numTensors).toBe(before);
    detector.dispose();
  });

  it.skipIf(backend === 'cpu')('learns four images by heart, without a leak', async () => {
    const { features, targets } = fourImages();
    const sizes = targets.map(() => ({ height: 64, width: 64 }));
    const detector = retinaNet({
      levels,
      classes: 2,
      preset: 'light',
      channels: 32,
      extraLevels: 1,
      seed: 1,
    });
    const optimizer = tf.train.adam(4e-3);
    const losses: number[] = [];
    let tensors = 0;
    for (let step = 0; step < 90; step++) {
      const loss = optimizer.minimize(() => detector.loss(features, targets, sizes).total, true)!;
      losses.push(loss.dataSync()[0]!);
      loss.dispose();
      if (step === 0) tensors = tf.memory().numTensors;
    }
    expect(tf.memory().numTensors).toBe(tensors);
    expect(losses.at(-1)).toBeLessThan(0.05);
    const found = await detector.detect(features, sizes);
    for (const [i, target] of targets.entries()) {
      const sure = found[i]!.slice(0, target.labels.length); // by falling score: the objects come first
      for (const [k, label] of target.labels.entries()) {
        const own = target.boxes.subarray(4 * k, 4 * k + 4);
        const hit = sure.find(
          (d) => d.label === label && boxOverlaps(own, Float32Array.from(d.box))[0]! > 0.75,
        );
        expect(hit?.score).toBeGreaterThan(0.5);
      }
    }
    detector.dispose();
  });
});
