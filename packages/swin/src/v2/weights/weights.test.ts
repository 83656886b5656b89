import { memoryWeights, type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { maxDifference, useBackend } from '../../../test/helpers.ts';
import { boundConfig, freeConfig, v2Images, v2Json, v2Weights } from '../../../test/v2.ts';
import { SwinConfigError, SwinWeightsError } from '../../errors.ts';
import { loadSwinWeights, swin, swinConfigOf } from '../../index.ts';
import { blankSwinV2, swinV2 } from '../swin-v2.ts';
import { loadSwinV2Weights } from './assign.ts';
import { swinV2ConfigOf } from './config-of.ts';
import { loadSwinV2 } from './load.ts';
import { swinV2Targets } from './targets.ts';

type Names = Record<string, Record<string, number[]>>;
const json = v2Json('bound_config');
const all = v2Json<Names>('names-tiny-window8');

/** A file with another set of tensors. */
async function changed(
  file: WeightFile,
  change: (tensors: Map<string, Awaited<ReturnType<WeightFile['read']>>>) => void,
): Promise<WeightFile> {
  const tensors = new Map<string, Awaited<ReturnType<WeightFile['read']>>>();
  for (const name of file.entries.keys()) tensors.set(name, await file.read(name));
  change(tensors);
  return memoryWeights(tensors, { name: 'changed' });
}

/** A file that has names and shapes only. */
function shapesOnly(name: string): WeightFile {
  const entries = new Map(Object.entries(all[name]!).map(([key, shape]) => [key, { shape, dtype: 'F32' }]));
  return { ...memoryWeights({}, { name }), entries };
}

const one = { shape: [1], data: new Float32Array(1) };

describe('weights of swin V2', () => {
  beforeAll(() => useBackend('cpu'));

  it('the three namings load to the last bit the same weights, heads and buffers left out', async () => {
    const files = ['bound_hf', 'bound_timm', 'bound_microsoft'].map(v2Weights);
    const models = files.map(() => blankSwinV2(boundConfig));
    const reports = [];
    for (const [i, file] of files.entries()) reports.push(await loadSwinV2Weights(models[i]!, file));
    const [hf, timm, microsoft] = models.map((model) => model.weights.map((w) => w.read()));
    hf!.forEach((weight, i) => {
      expect(maxDifference(weight, timm![i]!)).toBe(0);
      expect(maxDifference(weight, microsoft![i]!)).toBe(0);
    });
    const outNorms = [0, 1, 2, 3].flatMap((s) => [`norm${s}.weight`, `norm${s}.bias`]);
    expect(reports[1]!.missing).toEqual(outNorms);
    expect(reports[0]!.skipped).toEqual([
      'classifier.bias',
      'classifier.weight',
      'swinv2.layernorm.bias',
      'swinv2.layernorm.weight',
    ]);
    expect(reports[1]!.skipped).toEqual(['head.fc.bias', 'head.fc.weight', 'norm.bias', 'norm.weight']);
    expect(reports[2]!.skipped.every((name) => /^(head|norm)\.|_(table|index|mask)$/.test(name))).toBe(true);
    for (const model of models) model.dispose();
  });

  it.each(['transformers', 'timm', 'microsoft'])(
    'every weight of the smallest published model has its place: %s',
    (naming) => {
      const file = shapesOnly(naming);
      const model = blankSwinV2({
        ...freeConfig,
        embedDim: 96,
        depths: [2, 2, 6, 2],
        heads: [3, 6, 12, 24],
        window: 8,
      });
      const parts = swinV2Targets(model, file).flatMap(({ source }) =>
        source.otherwise === undefined ? source.parts : [],
      );
      const asked = new Map(parts.map(({ name, shape }) => [name, [...shape]]));
      const left = Object.entries(all[naming]!).filter(([name]) => !asked.has(name));
      expect(parts.filter(({ name, shape }) => all[naming]![name]?.join() !== shape.join())).toEqual([]);
      expect(left.map(([name]) => name).filter((name) => !/_(table|index|mask)$/.test(name)).length).toBe(4);
      const layers = model.weights.filter((w) => !/^norm\d/.test(w.originalName)).length;
      const split = naming === 'transformers' ? 2 * 12 : 0; // queries, keys and values of 12 blocks apart
      expect(asked.size).toBe(layers + split);
      model.dispose();
    },
  );

  it('tells the architecture by the configuration of transformers, alone or inside that of another model', async () => {
    const { window, pretrainedWindows, imageSize } = boundConfig;
    const expected = { ...boundConfig, patch: 4, mlpRatio: 4, window, pretrainedWindows, imageSize };
    expect(await swinV2ConfigOf(v2Weights('bound_hf'), json)).toEqual(expected);
    expect(await swinV2ConfigOf(v2Weights('bound_hf'), { backbone_config: json })).toEqual(expected);
    expect(await swinV2ConfigOf(v2Weights('bound_hf'), { ...json, image_size: undefined })).toEqual({
      ...expected,
      imageSize: 224, // the default of transformers
    });
    const free = { ...json, image_size: [256, 256], pretrained_window_sizes: [0, 0, 0, 0] };
    expect(await swinV2ConfigOf(v2Weights('free_hf'), free)).toEqual({
      ...freeConfig,
      patch: 4,
      mlpRatio: 4,
      imageSize: 256,
    });
  });

  it('by the buffers of the official files', async () => {
    const pretrainedWindows = [3, 3, 3, 0]; // the last was pretrained with its own window
    const expected = { ...boundConfig, patch: 4, mlpRatio: 4, pretrainedWindows };
    const official = v2Weights('bound_microsoft');
    expect(await swinV2ConfigOf(official)).toEqual(expected);
    // without masks the smaller window of the last stage tells the size, too
    const without = (pattern: RegExp) =>
      changed(official, (tensors) => {
        for (const name of [...tensors.keys()]) if (pattern.test(name)) tensors.delete(name);
      });
    expect(await swinV2ConfigOf(await without(/attn_mask$/))).toEqual(expected);
    const halfTold = await without(/attn_mask$|layers\.3\..*coords_table$/);
    await expect(swinV2ConfigOf(halfTold)).rejects.toThrow(SwinWeightsError);
    await expect(swinV2ConfigOf(await without(/relative_coords_table$/))).rejects.toThrow(SwinWeightsError);
  });

  it.each([
    ['swinv2_tiny_window8_256', { window: 8, imageSize: 256 }],
    ['swinv2_base_window12_192.ms_in22k', { window: 12, imageSize: 192 }],
    ['swinv2_base_window12to16_192to256', { window: 16, imageSize: 256, pretrainedWindows: [12, 12, 12, 6] }],
    [
      'swinv2_large_window12to24_192to384_22kft1k',
      { window: 24, imageSize: 384, pretrainedWindows: [12, 12, 12, 6] },
    ],
  ])("by the name of timm's architecture: %s", async (architecture, windows) => {
    const { embedDim, depths, heads } = boundConfig;
    const config = await swinV2ConfigOf(v2Weights('bound_timm'), { architecture, num_classes: 1000 });
    expect(config).toEqual({ embedDim, depths, heads, patch: 4, mlpRatio: 4, ...windows });
  });

  it("by timm's arguments and image size, where the file states them", async () => {
    const config = await swinV2ConfigOf(v2Weights('bound_timm'), {
      architecture: 'swinv2_tiny_window8_256',
      pretrained_cfg: { input_size: [3, 64, 64] },
      model_args: { window_size: 4, pretrained_window_sizes: [3, 3, 3, 2] },
    });
    expect(config).toMatchObject({ window: 4, imageSize: 64, pretrainedWindows: [3, 3, 3, 2] });
  });

  it('names what it cannot tell or does not support', async () => {
    const file = v2Weights('bound_timm');
    await expect(swinV2ConfigOf(file)).rejects.toThrow(
      /bound_timm does not tell the windows.*\n.*config\.json/,
    );
    await expect(swinV2ConfigOf(file, { architecture: 'resnet50' })).rejects.toThrow(SwinWeightsError);
    for (const [key, value] of [
      ['qkv_bias', false],
      ['use_absolute_embeddings', true],
      ['hidden_act', 'relu'],
      ['layer_norm_eps', 1e-6],
    ]) {
      const config = { ...json, [key as string]: value };
      await expect(swinV2ConfigOf(file, config)).rejects.toThrow(
        new RegExp(`another '${key}' is not supported`),
      );
    }
  });

  it('names shapes that contradict each other before a model is built, and numbers that are none when it is', async () => {
    const wide = await changed(v2Weights('bound_timm'), (tensors) => {
      for (let s = 4; s < 60; s++) tensors.set(`layers.${s}.blocks.0.norm1.weight`, one); // 2^59 times the channels
    });
    await expect(swinV2ConfigOf(wide, json)).rejects.toThrow(
      /lacks a weight.*\n.*layers\.4\.blocks\.0\.mlp\.fc1\.weight/,
    );
    const narrow = await changed(v2Weights('bound_timm'), (tensors) => {
      tensors.set('layers.2.blocks.1.mlp.fc1.weight', { shape: [2, 16], data: new Float32Array(32) });
    });
    await expect(swinV2ConfigOf(narrow, json)).rejects.toThrow(/contradicts.*\n.*\[64,16\]\n.*\[2,16\]/);
    for (const bad of [
      { image_size: '64' },
      { window_size: 4.5 },
      { pretrained_window_sizes: [1, 'a', 3, 4] },
    ]) {
      const files = { weights: v2Weights('bound_timm'), config: { ...json, ...bad } };
      await expect(loadSwinV2(files)).rejects.toThrow(SwinConfigError);
    }
  });

  it('tells the first Swin and other networks apart, both ways', async () => {
    const v1 = swin({ embedDim: 4, depths: [1], heads: [1], window: 2 });
    const older = memoryWeights({
      'patch_embed.proj.weight': one,
      'layers.0.blocks.0.norm1.weight': one,
      'layers.0.blocks.0.attn.relative_position_bias_table': one,
    });
    const v2 = blankSwinV2(boundConfig);
    await expect(loadSwinV2Weights(v2, older)).rejects.toThrow(
      /no Swin V2.*\n(.*\n)*.*use loadSwin and swin/,
    );
    await expect(loadSwinV2Weights(v2, memoryWeights({ 'conv1.weight': one }))).rejects.toThrow(
      SwinWeightsError,
    );
    await expect(loadSwinV2Weights(v2, memoryWeights({}))).rejects.toThrow(/a file without tensors/);
    for (const name of ['bound_hf', 'bound_timm', 'bound_microsoft']) {
      await expect(loadSwinWeights(v1, v2Weights(name))).rejects.toThrow(/Swin V2.*\n(.*\n)*.*loadSwinV2/);
      expect(() => swinConfigOf(v2Weights(name))).toThrow(SwinWeightsError);
    }
    v1.dispose();
    v2.dispose();
  });

  it('names what is missing, misshapen or homeless, and changes nothing', async () => {
    const model = swinV2(boundConfig);
    const before = model.weights.map((w) => [...w.read().dataSync()]);
    const file = await changed(v2Weights('bound_timm'), (tensors) => {
      tensors.delete('layers.1.blocks.1.attn.v_bias');
      tensors.set('layers.0.blocks.0.attn.logit_scale', { shape: [1, 1], data: new Float32Array(1) });
      tensors.set('layers.3.blocks.2.norm1.weight', one);
    });
    const load = () => loadSwinV2Weights(model, file);
    await expect(load()).rejects.toThrow(WeightsMismatchError);
    await expect(load()).rejects.toThrow(
      '1 missing: layers.1.blocks.1.attn.v_bias; ' +
        '1 of another shape: layers.0.blocks.0.attn.logit_scale [1,1] instead of [1,1,1]; ' +
        '1 without a place in the model: layers.3.blocks.2.norm1.weight',
    );
    expect(model.weights.map((w) => [...w.read().dataSync()])).toEqual(before);
    const { missing } = await loadSwinV2Weights(model, file, { strict: false });
    expect(missing).toEqual(
      expect.arrayContaining(['layers.1.blocks.1.attn.v_bias', 'layers.0.blocks.0.attn.logit_scale']),
    );
    model.dispose();
  });

  it('finds the backbone behind a prefix', async () => {
    const plain = v2Weights('bound_microsoft');
    const tensors = new Map();
    for (const name of plain.entries.keys()) tensors.set(`backbone.${name}`, await plain.read(name));
    tensors.set('decode_head.conv.weight', one);
    const file = memoryWeights(tensors);
    const model = swinV2(await swinV2ConfigOf(file));
    const { loaded, skipped } = await loadSwinV2Weights(model, file);
    expect(loaded.length).toBe(model.weights.length - 8); // but for the out-norms
    expect(skipped).toContain('decode_head.conv.weight');
    model.dispose();
  });

  it('loadSwinV2 gives levels as asked, the same model as by hand, and leaves nothing behind on an error', async () => {
    const before = tf.memory().numTensors;
    const files = { weights: v2Weights('bound_hf'), config: json };
    let loaded = 0;
    const model = await loadSwinV2(files, {
      outLevels: [1, 3],
      dropPath: 0.3,
      onReport: (report) => {
        loaded = report.loaded.length;
      },
    });
    expect(loaded).toBe(model.weights.length - 4 + 2 * 8); // without out-norms; queries, keys and values of 8 blocks apart
    expect(model.getLayer('stages.3.blocks.1.attn').getConfig().rate).toBeCloseTo(0.3, 9);
    const byHand = swinV2({ ...boundConfig, outLevels: [1, 3] });
    await loadSwinV2Weights(byHand, files.weights);
    tf.tidy(() => {
      const images = v2Images(1, 40, 52);
      const [got, expected] = [model, byHand].map((m) => m.predict(images) as tf.Tensor[]);
      expect(got!.map((level) => level.shape)).toEqual([
        [1, 5, 7, 8],
        [1, 2, 2, 32],
      ]);
      got!.forEach((level, i) => {
        expect(maxDifference(level, expected![i]!)).toBe(0);
      });
    });
    model.dispose();
    byHand.dispose();
    const given = { ...boundConfig, depths: [2, 2, 3, 2] };
    await expect(loadSwinV2(files, { config: given })).rejects.toThrow(WeightsMismatchError);
    expect(tf.memory().numTensors).toBe(before);
  });
});
