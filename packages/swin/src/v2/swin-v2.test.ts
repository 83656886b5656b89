import { adapt, e3va } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel, models } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkWeightGradients, weighted } from '../../test/contract.ts';
import { backends, draw, maxDifference, useBackend } from '../../test/helpers.ts';
import { SwinConfigError } from '../errors.ts';
import type { CosineWindowAttention } from './attention.ts';
import type { SwinV2Config } from './config.ts';
import { swinV2 } from './swin-v2.ts';

/** A tiny network for gradients: odd sizes, shifted windows, two stages. */
const tiny: SwinV2Config = {
  embedDim: 4,
  depths: [2, 1],
  heads: [1, 2],
  window: 3,
  patch: 2,
  pretrainedWindows: [0, 2],
};

describe.each(backends)('a swin V2 model on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it('takes images of several sizes, gives levels of the announced channels and strides, and leaks nothing', () => {
    const before = tf.memory().numTensors;
    const model = swinV2({ ...tiny, depths: [1, 2, 1], heads: [1, 2, 4], pretrainedWindows: [0, 0, 0] });
    const during = tf.memory().numTensors;
    for (const [batch, height, width] of [
      [1, 16, 16],
      [2, 23, 9],
      [1, 1, 5],
    ] as const) {
      const images = draw([batch, height, width, 3], 1);
      const levels = model.predict(images) as tf.Tensor[];
      const side = (size: number, s: number) => Math.ceil(Math.ceil(size / 2) / 2 ** s);
      expect(levels.map((level) => level.shape)).toEqual(
        [0, 1, 2].map((s) => [batch, side(height, s), side(width, s), 4 * 2 ** s]),
      );
      tf.dispose([images, levels]);
      expect(tf.memory().numTensors).toBe(during);
    }
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('comes back equal from JSON and weights, and from a saved model', async () => {
    const model = swinV2({ ...tiny, dropPath: 0.2 });
    const images = draw([1, 13, 10, 3], 1);
    let saved: tf.io.ModelArtifacts | undefined;
    await model.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
      }),
    );
    const fromJson = await models.modelFromJSON(JSON.parse(model.toJSON() as string));
    fromJson.setWeights(model.getWeights());
    const fromFile = await loadLayersModel(tf.io.fromMemory(saved!));
    const levels = model.predict(images) as tf.Tensor[];
    for (const copy of [fromJson, fromFile]) {
      expect(copy.layers.map((layer) => layer.name)).toEqual(model.layers.map((layer) => layer.name));
      (copy.predict(images) as tf.Tensor[]).forEach((level, s) => {
        expect(maxDifference(level, levels[s]!)).toBe(0);
      });
      copy.dispose();
    }
    model.dispose();
  });

  it('has the gradient of every weight, by finite differences', () => {
    const before = tf.memory().numTensors;
    const model = swinV2(tiny);
    const images = draw([1, 13, 10, 3], 1);
    tf.tidy(() => {
      // larger than a fresh model's, so that attention is not uniform and every term counts
      model.setWeights(
        model.weights.map((w, i) =>
          tf.add(draw(w.shape as number[], i, 0.4), w.originalName.endsWith('gamma') ? 1 : 0),
        ),
      );
      const loss = () => tf.addN((model.apply(images) as tf.Tensor[]).map(weighted)) as tf.Scalar;
      const variables = model.trainableWeights.map((w) => w.read() as tf.Variable);
      expect(variables.length).toBe(model.weights.length);
      checkWeightGradients(loss, variables);
    });
    model.dispose();
    images.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('trains as a whole in fit, with stochastic depth, and the loss falls', async () => {
    const model = swinV2({ ...tiny, outLevels: [1], dropPath: 0.1 });
    model.compile({ optimizer: tf.train.adam(1e-2), loss: 'meanSquaredError' });
    const [images, targets] = [draw([4, 8, 12, 3], 1), draw([4, 2, 3, 8], 2)];
    const { history } = await model.fit(images, targets, { epochs: 12, batchSize: 4, verbose: 0 });
    const losses = history.loss as number[];
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
    tf.dispose([images, targets]);
    model.dispose();
  });

  it('adapts with the default taps: the start is the frozen model, and only the adapters train', async () => {
    const base = swinV2({ ...tiny, outLevels: [1] });
    const images = draw([2, 13, 10, 3], 1);
    const plain = base.predict(images) as tf.Tensor;
    const frozen = base.weights.map((w) => tf.clone(w.read()));
    const { model } = adapt(base, e3va());
    expect(maxDifference(model.predict(images) as tf.Tensor, plain)).toBeLessThan(1e-5);
    const targets = draw(plain.shape, 2);
    model.compile({ optimizer: tf.train.adam(1e-2), loss: 'meanSquaredError' });
    const { history } = await model.fit(images, targets, { epochs: 12, batchSize: 2, verbose: 0 });
    const losses = history.loss as number[];
    expect(losses.at(-1)!).toBeLessThan(0.95 * losses[0]!);
    const moved = base.weights.filter((w, i) => maxDifference(w.read(), frozen[i]!) > 0);
    expect(moved.map((w) => w.originalName).filter((name) => !name.startsWith('norm'))).toEqual([]);
    tf.dispose([images, plain, targets, frozen]);
    model.dispose();
  });
});

describe('the configuration of a swin V2', () => {
  beforeAll(() => useBackend('cpu'));

  const windowsOf = (config: SwinV2Config) => {
    const model = swinV2(config);
    const cores = [0, 1, 2, 3].map(
      (s) => model.getLayer(`stages.${s}.blocks.1.attn.core`) as CosineWindowAttention,
    );
    model.dispose();
    return cores.map(({ window, shift, pretrainedWindow }) => [window, shift, pretrainedWindow]);
  };
  const shape = { embedDim: 1, depths: [2, 2, 2, 2], heads: [1, 1, 1, 1] };

  it('keeps window and shift without imageSize, and bounds them by its maps otherwise', () => {
    expect(windowsOf({ ...shape, window: 8 })).toEqual(Array(4).fill([8, 4, 8]));
    expect(windowsOf({ ...shape, window: 8, imageSize: 256 })).toEqual([
      ...Array(3).fill([8, 4, 8]),
      [8, 0, 8],
    ]);
    expect(windowsOf({ ...shape, window: 16, imageSize: 256, pretrainedWindows: [12, 12, 12, 6] })).toEqual([
      [16, 8, 12],
      [16, 8, 12],
      [16, 0, 12],
      [8, 0, 6],
    ]);
    expect(windowsOf({ ...shape, window: 7, imageSize: 512, pretrainedWindows: [0, 0, 0, 5] })).toEqual([
      ...Array(3).fill([7, 3, 7]),
      [7, 3, 5],
    ]);
  });

  it('names the key that does not fit', () => {
    const build = (extra: Partial<SwinV2Config>) => () => swinV2({ ...shape, window: 4, ...extra });
    expect(build({ pretrainedWindows: [3, 3] })).toThrow(SwinConfigError);
    expect(build({ pretrainedWindows: [3, 3] })).toThrow(/'pretrainedWindows'.*\n.*one whole number a stage/);
    expect(build({ pretrainedWindows: [3, 3, 3, -1] })).toThrow(/'pretrainedWindows'/);
    expect(build({ pretrainedWindows: [3, 3, 3, 1.5] })).toThrow(/'pretrainedWindows'/);
    expect(build({ imageSize: 31 })).toThrow(/'imageSize'.*\n.*at least 32 pixels.*\n.*31/);
    expect(build({ imageSize: Number.NaN })).toThrow(/'imageSize'/);
    expect(build({ window: 0 })).toThrow(/'window'/);
  });
});
