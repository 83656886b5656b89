import { E3vaError } from '@e3va/highway-grad';
import { memoryWeights, type WeightFile, WeightsMismatchError, type WeightTarget } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import '@tensorflow/tfjs-backend-cpu';
import { type LayersModel, model as modelOf, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectClose, normal, readJson } from '../../../../tests/support/tensors.ts';
import { imagesOf, readReference, resultOf } from '../../test/helpers.ts';
import { blankConvNeXt } from '../convnext/convnext.ts';
import { convNeXtConfigOf, convNeXtTargets, isConvNeXt, loadConvNeXtWeights } from '../convnext/weights.ts';
import { BackboneConfigError, BackboneWeightsError } from '../errors.ts';
import { loadBackbone } from '../load-backbone.ts';
import {
  type ConvNeXtPreset,
  convNeXtPresets,
  dinov2Presets,
  type ViTPreset,
  vitPresets,
} from '../presets.ts';
import { blankViT, vit } from '../vit/vit.ts';
import { loadViTWeights, vitConfigOf, vitTargets } from '../vit/weights.ts';

beforeAll(() => tf.setBackend('cpu'));

const fixtures = new URL('../../test/fixtures/', import.meta.url);
const parameters = readJson<Record<string, number>>(new URL('parameters.json', fixtures));
const keys = readJson<Record<string, Record<string, number[]>>>(new URL('keys.json', fixtures));

const presets: Record<string, ConvNeXtPreset | ViTPreset> = {};
for (const [family, list] of Object.entries({
  convnext: convNeXtPresets,
  vit: vitPresets,
  dinov2: dinov2Presets,
})) {
  for (const [name, preset] of Object.entries(list)) presets[`${family}-${name}`] = preset;
}

describe('presets', () => {
  it.each(Object.entries(presets))('%s has the parameters that it and transformers state', (name, preset) => {
    const model = 'depths' in preset ? blankConvNeXt(preset) : blankViT(preset);
    expect(model.countParams()).toBe(preset.parameters);
    expect(preset.parameters).toBe(parameters[name]);
    model.dispose();
  });
});

/** A file of which only names and shapes are known; reading fails, which happens once all of these were found to fit. */
function shapesOnly(name: string): WeightFile {
  const entries = new Map(Object.entries(keys[name]!).map(([key, shape]) => [key, { shape, dtype: 'F32' }]));
  const read = () => Promise.reject(new Error('names and shapes fit'));
  return { ...memoryWeights({}, { name }), entries, read };
}

/** The file's names that a model does not ask for, after a check that all it asks for is there. */
function leftOver({ entries }: WeightFile, targets: WeightTarget[]): string[] {
  const asked = new Set<string>();
  for (const { source } of targets) {
    for (const { name, shape } of source.parts) {
      asked.add(name);
      if (source.otherwise === undefined) expect(entries.get(name)?.shape, name).toEqual(shape);
    }
  }
  return [...entries.keys()].filter((name) => !asked.has(name));
}

describe('the real networks find a place for every name of their backbone', () => {
  const heads = /(^|\.)(classifier|pooler|head|layernorm|mask_token)\b|^head\./;

  it.each(Object.keys(keys))('%s', async (name) => {
    const file = shapesOnly(name);
    const isConv = isConvNeXt(file);
    const config = isConv ? convNeXtConfigOf(file) : vitConfigOf(file);
    if (!name.startsWith('timm')) {
      const { depths, channels, depth, heads, patch, grid, epsilon } = presets[
        name.split(/[ +]/)[0]!
      ] as unknown as Record<string, unknown>;
      const expected = isConv
        ? { depths, channels }
        : { channels, depth, heads, patch, grid, epsilon: epsilon ?? 1e-6 };
      expect(config).toMatchObject(name.includes('registers') ? { channels, depth, registers: 4 } : expected);
    }
    const [model, targets, load] = isConv
      ? [blankConvNeXt(config as never), convNeXtTargets, loadConvNeXtWeights]
      : [blankViT(config as never), vitTargets, loadViTWeights];
    await expect(load(model, file)).rejects.toThrow('names and shapes fit');
    const needed = [...file.entries.keys()].find((key) =>
      /\.5\..*(fc2|pwconv2|output\.dense)\.weight$/.test(key),
    );
    if (needed === undefined) throw new Error(`${name} has no sixth block`);
    const less = new Map([...file.entries].filter(([key]) => key !== needed));
    await expect(load(model, { ...file, entries: less })).rejects.toThrow(needed);
    const rest = leftOver(file, targets(model, file));
    expect(rest.filter((left) => !heads.test(left))).toEqual([]);
    if (!isConv) expect(rest.filter((left) => /layernorm/.test(left))).toEqual([]);
    model.dispose();
  });
});

/** A copy of a file under other names. */
async function renamed(file: WeightFile, name: (key: string) => string | undefined): Promise<WeightFile> {
  const all = new Map<string, Awaited<ReturnType<WeightFile['read']>>>();
  for (const key of file.entries.keys()) {
    const other = name(key);
    if (other !== undefined) all.set(other, await file.read(key));
  }
  return memoryWeights(all, { name: 'renamed' });
}

function sameOutputs(a: LayersModel, b: LayersModel, size: [number, number]): void {
  const image = normal<tf.Rank.R4>([1, ...size, 3], 1);
  const levels = [a.predict(image)].flat();
  [b.predict(image)].flat().forEach((level, s) => {
    expectClose(level, levels[s]!, 0);
  });
}

describe('loading', () => {
  it('takes any prefix, skips heads, and starts missing out-norms as the identity', async () => {
    const { weights } = readReference('convnext');
    const file = await renamed(weights, (key) =>
      key.startsWith('hidden_states_norms') ? undefined : `model.convnext.${key}`,
    );
    const withHead = memoryWeights(
      new Map([
        ...(await Promise.all([...file.entries.keys()].map(async (k) => [k, await file.read(k)] as const))),
        ['classifier.weight', { shape: [2, 20], data: new Float32Array(40) }],
        ['model.convnext.layernorm.weight', { shape: [20], data: new Float32Array(20) }],
      ]),
    );
    let report: unknown;
    const model = await loadBackbone({ weights: withHead }, { onReport: (r) => (report = r) });
    expect(report).toMatchObject({ skipped: ['classifier.weight', 'model.convnext.layernorm.weight'] });
    expect((report as { missing: string[] }).missing.length).toBe(8);
    expectClose(model.getLayer('norm0').getWeights()[0]!, new Float32Array(8).fill(1), 0);
    model.dispose();
  });

  it('loads the official names of ConvNeXt as those of transformers', async () => {
    const { weights } = readReference('convnext');
    const official = await renamed(weights, (key) => {
      if (key.startsWith('hidden_states')) return undefined;
      return key
        .replace('embeddings.patch_embeddings', 'downsample_layers.0.0')
        .replace('embeddings.layernorm', 'downsample_layers.0.1')
        .replace(/encoder\.stages\.(\d)\.downsampling_layer/, 'downsample_layers.$1')
        .replace(/encoder\.stages\.(\d)\.layers/, 'stages.$1')
        .replace('layernorm', 'norm')
        .replace('layer_scale_parameter', 'gamma');
    });
    const theirs = await loadBackbone({ weights: official });
    const ours = await loadBackbone({ weights });
    for (const s of [0, 1, 2, 3]) {
      ours.getLayer(`norm${s}`).setWeights(theirs.getLayer(`norm${s}`).getWeights());
    }
    sameOutputs(theirs, ours, [64, 96]);
  });

  it('resizes positions to the grid of another model, and says so', async () => {
    const { weights, config } = readReference('vit');
    const own = vitConfigOf(weights, config);
    const [small, large] = [vit(own), vit({ ...own, grid: 6 })];
    expect((await loadViTWeights(small, weights)).resized).toEqual([]);
    expect((await loadViTWeights(large, weights)).resized).toEqual(['embeddings.position_embeddings']);
    // at 48 × 48 pixels, six patches a side, both have the same positions
    const image = normal<tf.Rank.R4>([1, 48, 48, 3], 1);
    const levels = small.predict(image) as tf.Tensor[];
    (large.predict(image) as tf.Tensor[]).forEach((level, s) => {
      expectClose(level, levels[s]!, 1e-5);
    });
  });

  it.each([
    ['timm_convnext', 'stages.3.blocks.0.add'],
    ['timm_vit', 'norm'],
    ['timm_registers', 'norm'],
  ])('equals timm: %s', async (name, layer) => {
    const reference = readReference(name);
    const model = await loadBackbone(reference);
    const last = modelOf({ inputs: model.inputs, outputs: model.getLayer(layer).output as SymbolicTensor });
    const expected = resultOf(reference, 'out.0.hidden');
    const got = last.predict(imagesOf(reference)[0]!) as tf.Tensor;
    expect(got.shape).toEqual(expected.shape);
    expectClose(got, expected, 1e-4);
  });

  it('gives what transformers gives, through the one door', async () => {
    const reference = readReference('dinov2');
    const model = await loadBackbone(reference, { pyramid: 'none' });
    const [image] = imagesOf(reference);
    const map = model.predict(image!) as tf.Tensor4D;
    const last = resultOf(reference, 'out.0.last') as tf.Tensor3D;
    expectClose(map, tf.slice(last, [0, 1, 0], [1, map.shape[1] * map.shape[2], 12]), 1e-4);
  });

  it('loads a network whose queries, keys and values have no biases, but not one that lacks some', async () => {
    const { weights, config } = readReference('vit');
    const isBias = (key: string) => /(query|key|value)\.bias$/.test(key);
    const none = await renamed(weights, (key) => (isBias(key) ? undefined : key));
    const model = await loadBackbone({ weights: none, config });
    expectClose(model.getLayer('blocks.1.attn.qkv').getWeights()[1]!, new Float32Array(36), 0);
    const some = await renamed(weights, (key) => (isBias(key) && key.includes('layer.1') ? undefined : key));
    const before = tf.memory().numTensors;
    await expect(loadBackbone({ weights: some, config })).rejects.toThrow(WeightsMismatchError);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves a model with fewer levels or blocks than the file alone', async () => {
    const { weights } = readReference('convnext');
    const two = await loadBackbone({ weights }, { outLevels: [1] });
    expect(two.outputs.map(({ sourceLayer }) => sourceLayer.name)).toEqual(['norm1']);
    const reference = readReference('vit');
    const first = await loadBackbone(reference, { pyramid: 'none', outBlocks: [0] });
    expect(first.layers.some(({ name }) => name.startsWith('blocks.1'))).toBe(false);
  });

  it('refuses what has no place, and other networks', async () => {
    const { weights } = readReference('convnext');
    const extra = (file: WeightFile, key: string) =>
      memoryWeights(
        new Map(
          [...file.entries]
            .map(([k, { shape }]) => [
              k,
              { shape: [...shape], data: new Float32Array(shape.reduce((a, b) => a * b, 1)) },
            ])
            .concat([[key, { shape: [1], data: new Float32Array(1) }]] as never) as never,
        ),
      );
    const odd = extra(weights, 'encoder.stages.0.layers.0.gate.weight');
    await expect(loadBackbone({ weights: odd })).rejects.toThrow(/without a place.*gate\.weight/s);
    const v2 = extra(weights, 'encoder.stages.0.layers.0.grn.weight');
    await expect(loadBackbone({ weights: v2 })).rejects.toThrow(/ConvNeXt V2/);
    await expect(loadConvNeXtWeights(blankConvNeXt(convNeXtConfigOf(weights)), v2)).rejects.toThrow(
      /ConvNeXt V2/,
    );
    const giant = extra(readReference('dinov2').weights, 'encoder.layer.0.mlp.weights_in.weight');
    await expect(loadBackbone({ weights: giant })).rejects.toThrow(BackboneConfigError);
    const { weights: vitFile } = readReference('vit');
    await expect(loadBackbone({ weights: vitFile, config: { hidden_act: 'relu' } })).rejects.toThrow(/relu/);
    await expect(loadBackbone({ weights: memoryWeights({}) })).rejects.toThrow(BackboneWeightsError);
    const swin = memoryWeights({
      'layers.0.blocks.0.attn.qkv.weight': { shape: [1], data: new Float32Array(1) },
    });
    await expect(loadBackbone({ weights: swin })).rejects.toThrow(/no backbone that is known.*loadSwin/s);
    expect(() => convNeXtConfigOf(swin)).toThrow(BackboneWeightsError);
    expect(() => vit({ channels: 8, depth: 1, heads: 3, patch: 4, grid: 2 })).toThrow(
      /'heads'.*\n.*8 channels\n.*3/,
    );
  });
});

it('files with tensors lost, renamed or of other shapes give a model or a named error, and leave nothing', async () => {
  const files = ['convnext', 'vit', 'dinov2', 'registers', 'timm_registers'].map(
    (name) => readReference(name).weights,
  );
  const before = tf.memory().numTensors;
  const change = fc.record({
    file: fc.constantFrom(...files),
    at: fc.nat(),
    kind: fc.constantFrom('lost', 'renamed', 'shape', 'flat', 'size'),
    size: fc.constantFrom(0, 1, 2, 3, 7, 2 ** 31),
  });
  const outcomes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(change, async ({ file, at, kind, size }) => {
      const entries = new Map(file.entries);
      const [name, { shape, dtype }] = [...entries][at % entries.size]!;
      entries.delete(name);
      if (kind === 'renamed') entries.set(`${name}x`, { shape, dtype });
      if (kind === 'flat') entries.set(name, { shape: [], dtype });
      if (kind === 'shape') entries.set(name, { shape: [...shape].reverse(), dtype });
      if (kind === 'size') entries.set(name, { shape: shape.with(at % shape.length, size), dtype });
      const strict = at % 2 === 0;
      try {
        (await loadBackbone({ weights: { ...file, entries } }, { strict })).dispose();
        outcomes.add('model');
      } catch (error) {
        if (!E3vaError.isInstance(error)) throw error;
        outcomes.add(error.name);
      }
      expect(tf.memory().numTensors).toBe(before);
    }),
    { numRuns: 150, seed: 1 },
  );
  expect([...outcomes].sort()).toEqual(
    ['BackboneConfigError', 'BackboneWeightsError', 'WeightsMismatchError', 'model'].sort(),
  );
});
