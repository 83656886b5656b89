import { adapt, e3va, suggestTaps } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { roundTrip } from '../../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { expectGradients, imagesOf, type Reference, readReference, resultOf } from '../../test/helpers.ts';
import { convNeXt } from './convnext.ts';
import { convNeXtConfigOf, convNeXtTargets, loadConvNeXtWeights } from './weights.ts';

const tiny = { channels: [4, 6], depths: [1, 2], layerScale: 0.5 };

onBackends('a ConvNeXt', () => {
  let reference: Reference;
  beforeAll(() => {
    reference = readReference('convnext');
  });

  it('equals transformers in every level, at sizes that fill no whole patches too', async () => {
    const model = convNeXt(convNeXtConfigOf(reference.weights));
    const report = await loadConvNeXtWeights(model, reference.weights);
    expect(report.loaded.length).toBe(reference.weights.entries.size);
    expect([report.missing, report.skipped]).toEqual([[], []]);
    imagesOf(reference).forEach((image, n) => {
      tf.tidy(() => {
        (model.predict(image) as tf.Tensor[]).forEach((level, s) => {
          const expected = resultOf(reference, `out.${n}.level${s}`);
          expect(level.shape).toEqual(expected.shape);
          expectClose(level, expected, 1e-4);
        });
      });
    });
    model.dispose();
  });

  it('has the gradients of transformers', async () => {
    const model = convNeXt(convNeXtConfigOf(reference.weights));
    await loadConvNeXtWeights(model, reference.weights);
    const [image] = imagesOf(reference);
    const names = expectGradients(reference, convNeXtTargets(model, reference.weights), () => {
      const levels = model.apply(image!) as tf.Tensor[];
      return tf.addN(levels.map((level, s) => tf.sum(tf.mul(level, resultOf(reference, `up.level${s}`)))));
    });
    expect(names.length).toBe(8);
    model.dispose();
  });

  it('takes images of several sizes, keeps their order, and leaks nothing', () => {
    const before = tf.memory().numTensors;
    const model = convNeXt(tiny);
    const during = tf.memory().numTensors;
    for (const [batch, height, width] of [
      [1, 8, 8],
      [2, 23, 13],
    ] as const) {
      const images = normal([batch, height, width, 3], 1);
      const levels = model.predict(images) as tf.Tensor[];
      const side = (size: number, s: number) => Math.floor(Math.floor(size / 4) / 2 ** s);
      expect(levels.map((level) => level.shape)).toEqual(
        [0, 1].map((s) => [batch, side(height, s), side(width, s), tiny.channels[s]]),
      );
      tf.dispose([images, levels]);
      expect(tf.memory().numTensors).toBe(during);
    }
    expect(() => model.predict(tf.zeros([1, 3, 64, 3]))).toThrow(/too small.*\n.*4 × 4 at least\n.*3 × 64/);
    model.dispose();
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before + 1); // the image of the error
  });

  it('comes back equal from its JSON', async () => {
    const model = convNeXt({ ...tiny, dropPath: 0.2, outLevels: [1] });
    const copy = await roundTrip(model);
    expect(copy.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
    const image = normal<tf.Rank.R4>([1, 16, 24, 3], 1);
    expectClose(copy.predict(image) as tf.Tensor, model.predict(image) as tf.Tensor, 0);
  });

  it('carries e3va at the ends of its branches by itself, and trains', () => {
    const model = convNeXt(tiny);
    const branches = ['stages.0.blocks.0.branch', 'stages.1.blocks.0.branch', 'stages.1.blocks.1.branch'];
    const { taps, transition } = suggestTaps(model);
    expect([taps, transition]).toEqual([branches, 'inherit']);
    const adapted = adapt(model, e3va({ rank: 2, alpha: 1, beta: 2 }));
    expect(adapted.levels).toEqual([
      { name: 'norm0', channels: 4, stride: 4 },
      { name: 'norm1', channels: 6, stride: 8 },
    ]);
    const image = normal<tf.Rank.R4>([2, 16, 24, 3], 1);
    const levels = model.predict(image) as tf.Tensor[];
    adapted.apply(image).forEach((level, s) => {
      expectClose(level, levels[s]!, 1e-5);
    });
    const loss = () =>
      tf.addN(adapted.apply(image, { training: true }).map((t) => tf.mean(tf.square(t)))) as tf.Scalar;
    const optimizer = tf.train.adam(1e-2);
    const variables = adapted.trainableWeights.map((w) => w.read() as tf.Variable);
    const losses = Array.from({ length: 6 }, () => optimizer.minimize(loss, true, variables)!.dataSync()[0]!);
    expect(losses.at(-1)!).toBeLessThan(0.99 * losses[0]!);
  });
});
