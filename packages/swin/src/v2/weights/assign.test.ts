import { memoryWeights, type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import { beforeAll, describe, expect, it } from 'vitest';
import { maxDifference, useBackend } from '../../../test/helpers.ts';
import { boundConfig, changed, freeConfig, v2Json, v2Weights } from '../../../test/v2.ts';
import { SwinWeightsError } from '../../errors.ts';
import { loadSwinWeights, swin, swinConfigOf } from '../../index.ts';
import { blankSwinV2, swinV2 } from '../swin-v2.ts';
import { loadSwinV2Weights } from './assign.ts';
import { swinV2ConfigOf } from './config-of.ts';
import { swinV2Targets } from './targets.ts';

type Names = Record<string, Record<string, number[]>>;
const all = v2Json<Names>('names-tiny-window8');
const one = { shape: [1], data: new Float32Array(1) };

/** A file that has names and shapes only. */
function shapesOnly(name: string): WeightFile {
  const entries = new Map(Object.entries(all[name]!).map(([key, shape]) => [key, { shape, dtype: 'F32' }]));
  return { ...memoryWeights({}, { name }), entries };
}

describe('loadSwinV2Weights', () => {
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
});
