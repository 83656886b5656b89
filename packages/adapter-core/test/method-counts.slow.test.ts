import { swin, swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  adapt,
  adapter,
  adaptFormer,
  bitFit,
  loRand,
  lora,
  type Method,
  mona,
  norm,
  partial,
} from '../src/index.ts';

const both = /\.(attn|mlp)$/;
const cases: [string, Method, base: number, large: number][] = [
  ['adapter', adapter(), 3_107_328, 4_659_456],
  ['adaptFormer, two a block', adaptFormer({ branches: both }), 3_107_328, 4_659_456],
  ['adaptFormer, one a block', adaptFormer(), 1_553_664, 2_329_728],
  ['bitFit', bitFit(), 201_656, 302_484],
  ['bitFit without tables', bitFit({ weights: /(bias|beta)$/ }), 138_112, 207_168],
  ['lora of rank 63', lora({ rank: 63 }), 3_032_064, 4_548_096],
  ['lora of rank 64', lora({ rank: 64 }), 3_080_192, 4_620_288],
  ['loRand, shared kernels', loRand(), 1_197_312, 1_792_896],
  ['loRand, kernels of its own', loRand({ shared: false }), 1_203_456, 1_799_040],
  ['loRand of four branches', loRand({ shared: false, alpha: 4 }), 2_370_816, 3_543_936],
  ['mona', mona(), 3_667_456, 5_267_712],
  ['norm', norm(), 59_392, 89_088],
  ['partial', partial(), 12_601_632, 28_339_632],
];

describe.each(['base', 'large'] as const)('parameter counts at Swin %s', (preset) => {
  let model: LayersModel;
  beforeAll(async () => {
    await tf.setBackend('cpu');
    model = swin(swinPresets[preset]);
  }, 120_000);
  afterAll(() => {
    model.dispose();
  });

  it.each(cases)('%s', (_, method, base, large) => {
    const adapted = adapt(model, method);
    expect(adapted.parameters.trainable).toBe(preset === 'base' ? base : large);
    adapted.dispose();
  });
});
