import { adapt, e3va, suggestTaps } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, model as modelOf, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { roundTrip } from '../../../../tests/support/layer-contract.ts';
import { expectClose, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { expectGradients, imagesOf, type Reference, readReference, resultOf } from '../../test/helpers.ts';
import { pyramidLayers } from './pyramid.ts';
import { vit } from './vit.ts';
import { loadViTWeights, vitConfigOf, vitTargets } from './weights.ts';

const tiny = { channels: 8, depth: 2, heads: 2, patch: 8, grid: 3, layerScale: 0.5 };

/** The embedding, the stream behind each block, and the norm of the last, as transformers gives them. */
function hiddenStates(model: LayersModel): LayersModel {
  const names = model.layers
    .map(({ name }) => name)
    .filter((name) => /^(embed|blocks\.\d+\.add2|norm)$/.test(name));
  return modelOf({
    inputs: model.inputs,
    outputs: names.map((name) => model.getLayer(name).output as SymbolicTensor),
  });
}

async function loaded({ weights, config }: Reference): Promise<LayersModel> {
  const model = vit(vitConfigOf(weights, config));
  const report = await loadViTWeights(model, weights);
  expect(new Set([...report.loaded, ...report.skipped])).toEqual(new Set(weights.entries.keys()));
  expect(report.skipped.filter((name) => !name.endsWith('mask_token'))).toEqual([]);
  expect([report.missing, report.resized]).toEqual([[], []]);
  return model;
}

onBackends('a ViT', () => {
  it.each([
    ['vit', 11],
    ['dinov2', 5],
    ['registers', 2],
  ])('equals transformers: %s, with positions of other sizes, and its gradients', async (name, gradients) => {
    const reference = readReference(name);
    const model = await loaded(reference);
    const hidden = hiddenStates(model);
    const images = imagesOf(reference);
    images.forEach((image, n) => {
      const states = hidden.predict(image) as tf.Tensor[];
      states.forEach((state, i) => {
        const expected = resultOf(reference, `out.${n}.${i === states.length - 1 ? 'last' : `hidden${i}`}`);
        expect(state.shape).toEqual(expected.shape);
        expectClose(state, expected, 1e-4);
      });
    });
    const compared = expectGradients(reference, vitTargets(model, reference.weights), () => {
      const last = (hidden.apply(images[0]!) as tf.Tensor[]).at(-1)!;
      return tf.sum(tf.mul(last, resultOf(reference, 'up.last')));
    });
    expect(compared.length).toBe(gradients);
  });

  it('takes images of any size, gives levels at strides 4 to 32 whatever the patch, and leaks nothing', () => {
    for (const patch of [8, 14, 16]) {
      for (const pyramid of ['resample', 'simple'] as const) {
        const before = tf.memory().numTensors;
        const model = vit({ ...tiny, patch, pyramid, pyramidChannels: 5 });
        const during = tf.memory().numTensors;
        for (const [batch, height, width] of [
          [1, 32, 64],
          [2, 51, 35],
        ] as const) {
          const images = normal([batch, height, width, 3], 1);
          const levels = model.predict(images) as tf.Tensor[];
          const at16 = (size: number) => Math.ceil(size / 16);
          const sides = [4, 8, 16, 32].map((stride) => (size: number) => {
            if (pyramid === 'resample') return Math.ceil(size / stride);
            return Math.ceil((at16(size) * 16) / stride);
          });
          expect(levels.map((level) => level.shape)).toEqual(
            sides.map((side) => [batch, side(height), side(width), pyramid === 'simple' ? 5 : 8]),
          );
          tf.dispose([images, levels]);
          expect(tf.memory().numTensors).toBe(during);
        }
        model.dispose();
        expect(tf.memory().numTensors).toBe(before);
      }
    }
  });

  it('gives out the maps of chosen blocks behind the one norm, and comes back equal from its JSON', async () => {
    const model = vit({ ...tiny, registers: 1, pyramid: 'none', outBlocks: [0, 1], dropPath: 0.1 });
    const copy = await roundTrip(model);
    expect(copy.layers.map(({ name }) => name)).toEqual(model.layers.map(({ name }) => name));
    const image = normal<tf.Rank.R4>([1, 16, 24, 3], 1);
    const maps = model.predict(image) as tf.Tensor[];
    expect(maps.map(({ shape }) => shape)).toEqual([
      [1, 2, 3, 8],
      [1, 2, 3, 8],
    ]);
    (copy.predict(image) as tf.Tensor[]).forEach((map, i) => {
      expectClose(map, maps[i]!, 0);
    });
    const simple = vit({ ...tiny, pyramid: 'simple', pyramidChannels: 6, seed: 3 });
    const again = await roundTrip(simple);
    (again.predict(image) as tf.Tensor[]).forEach((level, s) => {
      expectClose(level, (simple.predict(image) as tf.Tensor[])[s]!, 0);
    });
  });

  it.each(['resample', 'simple'] as const)('carries e3va by itself, and trains: pyramid %s', (pyramid) => {
    const model = vit({ ...tiny, patch: 14, pyramid, pyramidChannels: 6 });
    const taps = [0, 1].flatMap((b) => [`blocks.${b}.attn`, `blocks.${b}.mlp`]);
    expect(suggestTaps(model).taps).toEqual(taps);
    const alsoTrain = pyramid === 'simple' ? { alsoTrain: pyramidLayers } : {};
    const adapted = adapt(model, e3va({ rank: 2, alpha: 1, beta: 2, ...alsoTrain }));
    expect(adapted.levels.map(({ name, stride }) => [name, stride])).toEqual(
      [4, 8, 16, 32].map((stride, s) => [`level${s}`, stride]),
    );
    const trained = adapted.trainableWeights.map((w) => w.originalName);
    const inPyramid = model.layers
      .filter(({ name }) => pyramidLayers.test(name))
      .flatMap(({ weights }) => weights.map((w) => `highway.${w.originalName}`));
    expect(inPyramid.length).toBe(pyramid === 'simple' ? 4 * 6 + 3 * 2 + 2 : 0);
    expect(trained).toEqual(expect.arrayContaining(inPyramid));
    const image = normal<tf.Rank.R4>([2, 30, 44, 3], 1);
    const levels = model.predict(image) as tf.Tensor[];
    adapted.apply(image).forEach((level, s) => {
      expectClose(level, levels[s]!, 1e-5);
    });

    const given = levels.map((level, s) => normal(level.shape as [number], s + 1));
    const loss = () => {
      const now = adapted.apply(image, { training: true });
      return tf.addN(now.map((t, s) => tf.mean(tf.squaredDifference(t, given[s]!)))) as tf.Scalar;
    };
    const variables = adapted.trainableWeights.map((w) => w.read() as tf.Variable);
    const { grads } = tf.variableGrads(loss, variables);
    for (const weight of adapted.trainableWeights.filter((w) => inPyramid.includes(w.originalName))) {
      const size = tf.max(tf.abs(grads[(weight.read() as tf.Variable).name]!)).dataSync()[0]!;
      expect(size, weight.originalName).toBeGreaterThan(1e-9);
    }
    // nothing of the base itself is reached by a gradient
    const reached = Object.keys(tf.variableGrads(loss).grads);
    expect(new Set(reached)).toEqual(new Set(variables.map(({ name }) => name)));
    const optimizer = tf.train.adam(1e-2);
    const losses = Array.from({ length: 6 }, () => optimizer.minimize(loss, true, variables)!.dataSync()[0]!);
    expect(losses.at(-1)!).toBeLessThan(0.99 * losses[0]!);
  });

  it('trains a pyramid that an adapter file carries to a base made anew', async () => {
    const make = () => {
      const model = vit({ ...tiny, pyramid: 'simple', pyramidChannels: 6 });
      const given = model.layers
        .filter(({ name }) => !pyramidLayers.test(name))
        .flatMap(({ weights }) => weights);
      given.forEach((w, i) => {
        w.write(normal(w.shape as [number], i + 1, 0.3)); // stands for pretrained weights
      });
      return adapt(model, e3va({ rank: 2, alpha: 1, beta: 2, alsoTrain: pyramidLayers }));
    };
    const [trained, fresh] = [make(), make()];
    const image = normal<tf.Rank.R4>([1, 24, 32, 3], 1);
    for (const weight of trained.trainableWeights) {
      weight.write(normal(weight.shape as [number], weight.id, 0.2));
    }
    let saved: tf.io.ModelArtifacts | undefined;
    await trained.saveAdapter(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
      }),
    );
    await fresh.loadAdapter(tf.io.fromMemory(saved!));
    const levels = trained.apply(image);
    fresh.apply(image).forEach((level, s) => {
      expectClose(level, levels[s]!, 0);
    });
  });
});
