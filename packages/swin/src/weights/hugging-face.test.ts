import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { swin } from '../swin.ts';
import { huggingFaceLayer } from './hugging-face.ts';

const block = 'encoder.layers.1.blocks.0';
const cases: [string[], string, number | undefined][] = [
  [['attention.self.query', 'attention.q_proj'], 'stages.1.blocks.0.attn.qkv', 0],
  [['attention.self.key', 'attention.k_proj'], 'stages.1.blocks.0.attn.qkv', 1],
  [['attention.self.value', 'attention.v_proj'], 'stages.1.blocks.0.attn.qkv', 2],
  [['attention.output.dense', 'attention.o_proj'], 'stages.1.blocks.0.attn.proj', undefined],
  [['intermediate.dense', 'mlp.fc1'], 'stages.1.blocks.0.mlp.fc1', undefined],
  [['output.dense', 'mlp.fc2'], 'stages.1.blocks.0.mlp.fc2', undefined],
];

describe('huggingFaceLayer', () => {
  it.each(cases)('%j is %s, part %s', (modules, layer, part) => {
    const expected = part === undefined ? { layer } : { layer, part };
    for (const module of modules) {
      for (const prefix of ['', 'swin.', 'model.backbone.']) {
        expect(huggingFaceLayer(`${prefix}${block}.${module}`)).toEqual(expected);
      }
    }
  });

  it('gives names that a Swin has', async () => {
    await tf.setBackend('cpu');
    const config = { embedDim: 4, depths: [1, 1], heads: [1, 1], window: 2, outLevels: [1] };
    const base = swin(config);
    const names = base.layers.map(({ name }) => name);
    const modules = cases.map(([[module]]) => `${block}.${module}`);
    for (const module of [...modules, 'encoder.layers.0.downsample.reduction'])
      expect(names).toContain(huggingFaceLayer(module)!.layer);
    base.dispose();
  });

  it.each([
    'classifier',
    'embeddings.patch_embeddings.projection',
    `${block}.layernorm_before`,
    `${block}.attention.self`,
    'vit.encoder.layer.0.attention.attention.query',
  ])('%s has no layer', (module) => {
    expect(huggingFaceLayer(module)).toBeUndefined();
  });
});
