import * as tf from '@tensorflow/tfjs-core';
import { loadLayersModel, models } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkWeightGradients, weighted } from '../test/contract.ts';
import { backends, draw, maxDifference, referenceConfigs, tinyConfig, useBackend } from '../test/helpers.ts';
import { swin } from './swin.ts';

describe.each(backends)('a swin model on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it('takes images of several sizes, gives levels of the announced channels and strides, and leaks nothing', () => {
    const before = tf.memory().numTensors;
    const model = swin({ ...tinyConfig, depths: [1, 2, 1], heads: [1, 2, 4] });
    const during = tf.memory().numTensors;
    for (const [batch, height, width] of [
      [1, 16, 16],
      [2, 23, 9],
      [1, 1, 5],
      [3, 40, 24],
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

  it('treats the images of a batch alone', () => {
    tf.tidy(() => {
      const model = swin(tinyConfig);
      const [a, b] = [draw([1, 13, 10, 3], 1), draw([1, 13, 10, 3], 2)];
      const both = model.predict(tf.concat([a, b])) as tf.Tensor[];
      [a, b].forEach((image, i) => {
        (model.predict(image) as tf.Tensor[]).forEach((level, s) => {
          const [, ...size] = level.shape;
          const same = tf.slice(both[s]!, [i, 0, 0, 0], [1, ...size]);
          expect(maxDifference(level, same)).toBeLessThan(1e-5);
        });
      });
      model.dispose();
    });
  });

  it('gives out the levels asked for, and builds no stage behind them', () => {
    const model = swin({ ...referenceConfigs.w4, outLevels: [1, 2] });
    expect(model.outputs.map((t) => t.sourceLayer.name)).toEqual(['norm1', 'norm2']);
    const names = model.layers.map(({ name }) => name);
    expect(names).not.toContain('norm0');
    expect(names.some((name) => name.startsWith('stages.3') || name.startsWith('stages.2.downsample'))).toBe(
      false,
    );
    model.dispose();
  });

  it('comes back equal from JSON and weights, and from a saved model', async () => {
    const model = swin({ ...tinyConfig, dropPath: 0.2 });
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
    const model = swin(tinyConfig);
    const images = draw([2, 13, 10, 3], 1);
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

  it('trains in fit, with stochastic depth, and the loss falls', async () => {
    const model = swin({ ...tinyConfig, outLevels: [1], dropPath: 0.1 });
    model.compile({ optimizer: tf.train.adam(1e-2), loss: 'meanSquaredError' });
    const [images, targets] = [draw([4, 8, 12, 3], 1), draw([4, 2, 3, 8], 2)];
    const { history } = await model.fit(images, targets, { epochs: 12, batchSize: 4, verbose: 0 });
    const losses = history.loss as number[];
    expect(losses.every(Number.isFinite)).toBe(true);
    expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!);
    tf.dispose([images, targets]);
    model.dispose();
  });
});
