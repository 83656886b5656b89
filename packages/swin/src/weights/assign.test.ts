import type { TensorData } from '@e3va/adapter-core';
import { type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  draw,
  fixtureWeights,
  maxDifference,
  readFixture,
  referenceConfigs,
  useBackend,
} from '../../test/helpers.ts';
import { SwinWeightsError } from '../errors.ts';
import { swin } from '../swin.ts';
import { loadSwinWeights } from './assign.ts';
import { swinConfigOf } from './config-of.ts';

const config = referenceConfigs.w4;
const outNorms = [0, 1, 2, 3].flatMap((s) => [`norm${s}.weight`, `norm${s}.bias`]);

function file(edit?: (tensors: Map<string, TensorData>) => void): WeightFile {
  return fixtureWeights('w4_microsoft', edit);
}

/** The fixture under other names: those that `rename` gives. */
function renamedFile(rename: (name: string) => string): WeightFile {
  return file((tensors) => {
    const all = [...tensors];
    tensors.clear();
    for (const [name, array] of all) tensors.set(rename(name), array);
  });
}

const values = (model: LayersModel) => model.weights.map((w) => [...w.read().dataSync()]);

function numbers(model: LayersModel, layer: string): number[][] {
  return model
    .getLayer(layer)
    .getWeights()
    .map((w) => [...w.dataSync()]);
}

/** Runs `check` on a fresh model and shows that nothing is left. */
async function withModel(check: (model: LayersModel) => Promise<void>, of = config): Promise<void> {
  const before = tf.memory().numTensors;
  const model = swin(of);
  const during = tf.memory().numTensors;
  await check(model);
  expect(tf.memory().numTensors).toBe(during);
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
}

/** transformers 5 and its backbone, whose encoder stands behind `swin.` and whose out-norms do not. */
function transformers5(name: string): string {
  const renames: [RegExp, string][] = [
    [/^(embeddings|encoder)\./, 'backbone.swin.$1.'],
    [/^hidden/, 'backbone.hidden'],
    [/attention\.self\.query/, 'attention.q_proj'],
    [/attention\.self\.key/, 'attention.k_proj'],
    [/attention\.self\.value/, 'attention.v_proj'],
    [/attention\.self\.relative/, 'attention.relative_position_bias.relative'],
    [/attention\.output\.dense/, 'attention.o_proj'],
    [/intermediate\.dense/, 'mlp.fc1'],
    [/output\.dense/, 'mlp.fc2'],
  ];
  return renames.reduce((text, [from, to]) => text.replace(from, to), name);
}

/** Hugging Face's fixture as transformers 5 would save it. */
function transformers5File(): WeightFile {
  return fixtureWeights('w4_hf_backbone', (tensors) => {
    const all = [...tensors];
    tensors.clear();
    for (const [name, array] of all) tensors.set(transformers5(name), array);
  });
}

describe('loadSwinWeights', () => {
  beforeAll(() => useBackend('cpu'));

  it('loads every name of a whole file', () =>
    withModel(async (model) => {
      const weights = file();
      const report = await loadSwinWeights(model, weights);
      expect([...report.loaded].sort()).toEqual([...weights.entries.keys()].sort());
      expect(report).toMatchObject({ missing: [], skipped: [], resized: [] });
      expect(report.loaded.length).toBe(model.weights.length);
    }));

  it('turns matrices, and brings the patch convolution into the order of the gathered patches', () =>
    withModel(async (model) => {
      await loadSwinWeights(model, file());
      const { tensors } = readFixture('w4_microsoft');
      tf.tidy(() => {
        const { data, shape } = tensors.get('layers.1.blocks.0.mlp.fc1.weight')!;
        const kernel = model.getLayer('stages.1.blocks.0.mlp.fc1').getWeights()[0]!;
        expect(maxDifference(kernel, tf.transpose(tf.tensor(data, shape)))).toBe(0);
        const conv = tensors.get('patch_embed.proj.weight')!;
        const filter = tf.transpose(
          tf.tensor4d(conv.data, conv.shape as [number, number, number, number]),
          [2, 3, 1, 0],
        ) as tf.Tensor4D;
        const images = draw([2, 8, 12, 3], 1) as tf.Tensor4D;
        const expected = tf.add(
          tf.conv2d(images, filter, 4, 'valid'),
          tf.tensor(tensors.get('patch_embed.proj.bias')!.data),
        );
        const gather = model.getLayer('patch_embed.gather').apply(images) as tf.Tensor;
        const embedded = model.getLayer('patch_embed.proj').apply(gather) as tf.Tensor;
        expect(maxDifference(embedded, expected)).toBeLessThan(1e-5);
      });
    }));

  it.each([
    ['hugging-face', () => fixtureWeights('w4_hf_backbone'), []],
    ['transformers 5', transformers5File, []],
    ['mmdetection', () => fixtureWeights('w4_mmdet'), []],
    ['timm', () => fixtureWeights('w4_timm'), outNorms],
  ] as [string, () => WeightFile, string[]][])(
    '%s: the same weights, bit for bit',
    async (_, open, lacks) => {
      await withModel(async (model) => {
        await loadSwinWeights(
          model,
          file((tensors) => lacks.map((name) => tensors.delete(name))),
        );
        const official = values(model);
        const other = open();
        expect(swinConfigOf(other)).toEqual({ ...config, patch: 4, mlpRatio: 4 });
        const report = await loadSwinWeights(model, other);
        expect(values(model)).toEqual(official);
        expect(report.missing.length).toBe(lacks.length);
        expect(report.loaded.length + report.skipped.length).toBe(other.entries.size);
        expect(report.skipped.every((name) => /^norm\.(weight|bias)$/.test(name))).toBe(true);
      });
    },
  );

  it('strips the prefix of detectors, drops heads, buffers and whatever lies outside the backbone', () =>
    withModel(async (model) => {
      const extra = [
        'backbone.layers.0.blocks.0.attn.relative_position_index',
        'backbone.layers.0.blocks.1.attn_mask',
        'backbone.mask_token',
        'neck.conv.weight',
      ];
      const weights = renamedFile((name) => `backbone.${name}`);
      for (const name of extra)
        (weights.entries as Map<string, unknown>).set(name, { shape: [1], dtype: 'F32' });
      const report = await loadSwinWeights(model, weights);
      expect(report.skipped).toEqual(extra);
      expect(report.loaded.length).toBe(model.weights.length);
      expect(report.loaded[0]).toBe('backbone.patch_embed.proj.weight');
    }));

  it('makes the out-norms of a classification checkpoint the identity', () =>
    withModel(async (model) => {
      await loadSwinWeights(model, file());
      const heads = ['norm.weight', 'norm.bias', 'head.weight', 'head.bias'];
      const report = await loadSwinWeights(
        model,
        file((tensors) => {
          for (const name of outNorms) tensors.delete(name);
          for (const name of heads) tensors.set(name, { shape: [64], data: new Float32Array(64) });
        }),
      );
      expect(report.missing).toEqual(outNorms);
      expect(report.skipped).toEqual(heads);
      expect(numbers(model, 'norm1')).toEqual([Array(16).fill(1), Array(16).fill(0)]);
    }));

  it('leaves out stages that the model does not have', async () => {
    await withModel(
      async (model) => {
        const report = await loadSwinWeights(model, file());
        expect(report.loaded.length).toBe(model.weights.length);
        expect(
          report.skipped.every((name) => /^(layers\.[23]|layers\.1\.downsample|norm[23])/.test(name)),
        ).toBe(true);
      },
      { ...config, outLevels: [0, 1] } as typeof config,
    );
  });

  it('resizes position tables to another window, and says so', () =>
    withModel(
      async (model) => {
        const report = await loadSwinWeights(model, file());
        const tables = [...file().entries.keys()].filter((name) => name.endsWith('_table'));
        expect(report.resized).toEqual(tables);
        const [table] = model.getLayer('stages.3.blocks.0.attn.core').getWeights();
        const { data, shape } = readFixture('bias_table_resize').tensors.get('w7_timm')!;
        tf.tidy(() => {
          expect(maxDifference(table!, tf.tensor(data, shape))).toBeLessThan(1e-5);
        });
      },
      { ...config, window: 7 },
    ));

  it('names what is missing, misshapen or homeless, and changes nothing', () =>
    withModel(async (model) => {
      const before = values(model);
      const weights = file((tensors) => {
        tensors.delete('layers.2.blocks.1.attn.qkv.bias');
        tensors.set('layers.0.downsample.reduction.weight', { shape: [16, 31], data: new Float32Array(496) });
        tensors.set('layers.0.blocks.0.attn.scale', { shape: [1], data: new Float32Array(1) });
        tensors.set('layers.3.blocks.2.norm1.weight', { shape: [64], data: new Float32Array(64) });
        tensors.set('absolute_pos_embed', { shape: [1], data: new Float32Array(1) });
      });
      const load = loadSwinWeights(model, weights);
      await expect(load).rejects.toThrow(WeightsMismatchError);
      await expect(load).rejects.toThrow(
        'received: 1 missing: layers.2.blocks.1.attn.qkv.bias; ' +
          '1 of another shape: layers.0.downsample.reduction.weight [16,31] instead of [16,32]; ' +
          '3 without a place in the model: layers.0.blocks.0.attn.scale, layers.3.blocks.2.norm1.weight, absolute_pos_embed',
      );
      expect(values(model)).toEqual(before);

      const report = await loadSwinWeights(model, weights, { strict: false });
      expect(report.missing).toEqual([
        'layers.0.downsample.reduction.weight',
        'layers.2.blocks.1.attn.qkv.bias',
      ]);
      expect(report.skipped).toEqual([
        'layers.0.blocks.0.attn.scale',
        'layers.3.blocks.2.norm1.weight',
        'absolute_pos_embed',
      ]);
      expect(report.loaded.length).toBe(model.weights.length - 2);
    }));

  it('numbers that are not finite are an error, and change nothing', () =>
    withModel(async (model) => {
      const before = values(model);
      const weights = file((tensors) => {
        tensors.get('norm3.bias')!.data[5] = Number.NaN;
      });
      await expect(loadSwinWeights(model, weights)).rejects.toThrow(/tensor 'norm3.bias' .* not finite/);
      expect(values(model)).toEqual(before);
    }));

  it('a file of another network, and one of a Swin V2, are errors that say so', () =>
    withModel(async (model) => {
      const other = renamedFile((name) => name.replace('layers', 'towers'));
      await expect(loadSwinWeights(model, other)).rejects.toThrow(SwinWeightsError);
      await expect(loadSwinWeights(model, other)).rejects.toThrow(
        /holds no Swin whose names are known\n.*microsoft.*\n {2}received: .*, …/,
      );
      const v2 = file((tensors) =>
        tensors.set('layers.0.blocks.0.attn.logit_scale', { shape: [1], data: new Float32Array(1) }),
      );
      expect(() => swinConfigOf(v2)).toThrow(/Swin V2.*\n.*\n.*loadSwinV2/);
    }));
});
