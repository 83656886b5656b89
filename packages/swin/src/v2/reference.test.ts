import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, model as makeModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, maxDifference, readFixture, tensorOf, useBackend } from '../../test/helpers.ts';
import { boundConfig, freeConfig, v2Images, v2Weights } from '../../test/v2.ts';
import type { SwinV2Config } from './config.ts';
import { blankSwinV2 } from './swin-v2.ts';
import { loadSwinV2Weights } from './weights/assign.ts';

const cases = [
  {
    config: freeConfig,
    weights: 'free_hf',
    out: 'free_out',
    sizes: { 128: [1, 128, 128], '70x102': [2, 70, 102] },
  },
  {
    config: boundConfig,
    weights: 'bound_hf',
    out: 'bound_out',
    sizes: { 64: [1, 64, 64], '70x102': [2, 70, 102] },
  },
  { config: boundConfig, weights: 'bound_timm', out: 'bound_out', sizes: { '70x102': [2, 70, 102] } },
  { config: boundConfig, weights: 'bound_microsoft', out: 'bound_out', sizes: { '70x102': [2, 70, 102] } },
] as const;

/** The stages of a model in front of the out-norms, and the levels behind them. */
function probe(model: LayersModel): LayersModel {
  const raw = [0, 1, 2, 3].map((s) => model.getLayer(`stages.${s}.blocks.1.add2`).output as SymbolicTensor);
  return makeModel({ inputs: model.inputs, outputs: [...raw, ...model.outputs] });
}

describe.each(backends)('swinV2 equals transformers on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each(cases)('$weights: every stage to 1e-4', async ({ config, weights, out, sizes }) => {
    const before = tf.memory().numTensors;
    const model = blankSwinV2(config as SwinV2Config);
    await loadSwinV2Weights(model, v2Weights(weights));
    const reference = readFixture(`v2/${out}`);
    for (const [key, size] of Object.entries(sizes) as [string, [number, number, number]][]) {
      tf.tidy(() => {
        const results = probe(model).predict(v2Images(...size)) as tf.Tensor[];
        const errors = results
          .slice(0, 4)
          .map((raw, s) => maxDifference(raw, tensorOf(reference, `${key}.${s}`)));
        expect(
          errors.map((error) => error < 1e-4),
          `${errors}`,
        ).toEqual([true, true, true, true]);
        results.slice(4).forEach((level, s) => {
          const { mean, variance } = tf.moments(results[s]!, -1, true);
          const normed = tf.mul(tf.sub(results[s]!, mean), tf.rsqrt(tf.add(variance, 1e-5)));
          expect(maxDifference(level, normed)).toBeLessThan(1e-4); // out-norms start as the identity
        });
      });
    }
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
