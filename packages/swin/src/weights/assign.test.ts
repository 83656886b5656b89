import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { draw, maxDifference, readFixture, referenceConfigs, useBackend } from '../../test/helpers.ts';
import { SwinWeightsError } from '../errors.ts';
import { swin } from '../swin.ts';
import { loadSwinWeights, type WeightArray } from './assign.ts';

const config = referenceConfigs.w4;
const outNorms = [0, 1, 2, 3].flatMap((s) => [`norm${s}.weight`, `norm${s}.bias`]);

function file(): Map<string, WeightArray> {
  return new Map(readFixture('w4_microsoft').tensors);
}

function numbers(model: LayersModel, layer: string): number[][] {
  return model
    .getLayer(layer)
    .getWeights()
    .map((w) => [...w.dataSync()]);
}

/** Runs `check` on a fresh model and shows that nothing is left. */
function withModel(check: (model: LayersModel) => void): void {
  const before = tf.memory().numTensors;
  const model = swin(config);
  const during = tf.memory().numTensors;
  check(model);
  expect(tf.memory().numTensors).toBe(during);
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
}

describe('loadSwinWeights', () => {
  beforeAll(() => useBackend('cpu'));

  it('loads every name of a whole file', () => {
    withModel((model) => {
      const tensors = file();
      const report = loadSwinWeights(model, tensors);
      expect([...report.loaded].sort()).toEqual([...tensors.keys()].sort());
      expect(report).toMatchObject({ missing: [], skipped: [] });
      expect(report.loaded.length).toBe(model.weights.length);
    });
  });

  it('turns matrices, and brings the patch convolution into the order of the gathered patches', () => {
    withModel((model) => {
      const tensors = file();
      loadSwinWeights(model, tensors);
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
    });
  });

  it('strips the prefix of detectors, drops heads, buffers and whatever lies outside the backbone', () => {
    withModel((model) => {
      const tensors = new Map([...file()].map(([name, array]) => [`backbone.${name}`, array]));
      const one = { shape: [1], data: new Float32Array(1) };
      const extra = [
        'backbone.layers.0.blocks.0.attn.relative_position_index',
        'backbone.layers.0.blocks.1.attn_mask',
        'neck.conv.weight',
      ];
      for (const name of extra) tensors.set(name, one);
      const report = loadSwinWeights(model, tensors);
      expect(report.skipped).toEqual(extra);
      expect(report.loaded.length).toBe(model.weights.length);
      expect(report.loaded[0]).toBe('backbone.patch_embed.proj.weight');
    });
  });

  it('makes the out-norms of a classification checkpoint the identity', () => {
    withModel((model) => {
      loadSwinWeights(model, file());
      const tensors = file();
      for (const name of outNorms) tensors.delete(name);
      for (const name of ['norm.weight', 'norm.bias', 'head.weight', 'head.bias']) {
        tensors.set(name, { shape: [64], data: new Float32Array(64) });
      }
      const report = loadSwinWeights(model, tensors);
      expect(report.missing).toEqual(outNorms);
      expect(report.skipped).toEqual(['norm.weight', 'norm.bias', 'head.weight', 'head.bias']);
      expect(numbers(model, 'norm1')).toEqual([Array(16).fill(1), Array(16).fill(0)]);
    });
  });

  it('leaves out stages that the model does not have', () => {
    const model = swin({ ...config, outLevels: [0, 1] });
    const report = loadSwinWeights(model, file());
    expect(report.loaded.length).toBe(model.weights.length);
    expect(report.skipped.every((name) => /^(layers\.[23]|layers\.1\.downsample|norm[23])/.test(name))).toBe(
      true,
    );
    model.dispose();
  });

  it('names what is missing, misshapen or homeless, and changes nothing', () => {
    withModel((model) => {
      const before = model.weights.map((w) => [...w.read().dataSync()]);
      const tensors = file();
      tensors.delete('layers.2.blocks.1.attn.qkv.bias');
      tensors.set('layers.0.downsample.reduction.weight', { shape: [16, 31], data: new Float32Array(496) });
      tensors.set('layers.0.blocks.0.attn.logit_scale', { shape: [1], data: new Float32Array(1) });
      tensors.set('layers.3.blocks.2.norm1.weight', { shape: [64], data: new Float32Array(64) });
      tensors.set('absolute_pos_embed', { shape: [1], data: new Float32Array(1) });
      const load = () => loadSwinWeights(model, tensors);
      expect(load).toThrow(SwinWeightsError);
      expect(load).toThrow(
        'received: 1 missing: layers.2.blocks.1.attn.qkv.bias; ' +
          '1 of another shape: layers.0.downsample.reduction.weight [16,31] instead of [16,32]; ' +
          '3 without a place in the model: layers.0.blocks.0.attn.logit_scale, layers.3.blocks.2.norm1.weight, absolute_pos_embed',
      );
      expect(model.weights.map((w) => [...w.read().dataSync()])).toEqual(before);

      const report = loadSwinWeights(model, tensors, { strict: false });
      expect(report.missing).toEqual([
        'layers.0.downsample.reduction.weight',
        'layers.2.blocks.1.attn.qkv.bias',
      ]);
      expect(report.skipped).toEqual([
        'layers.0.blocks.0.attn.logit_scale',
        'layers.3.blocks.2.norm1.weight',
        'absolute_pos_embed',
      ]);
      expect(report.loaded.length).toBe(model.weights.length - 2);
    });
  });

  it('a file of another network is an error that shows the first names', () => {
    withModel((model) => {
      const other = new Map([['conv1.weight', { shape: [1], data: new Float32Array(1) }]]);
      expect(() => loadSwinWeights(model, other)).toThrow(/missing: patch_embed\.proj\.weight, .*, …/);
    });
  });
});
