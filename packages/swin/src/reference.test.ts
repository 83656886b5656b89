import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, model as makeModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  backends,
  fixtureWeights,
  imagesOf,
  maxDifference,
  readFixture,
  referenceConfigs,
  tensorOf,
  useBackend,
} from '../test/helpers.ts';
import { swin } from './swin.ts';
import { loadSwinWeights } from './weights/assign.ts';

const cases = [
  ['w4', 'out_w4_128'],
  ['w4', 'out_w4_50x70_b2'],
  ['w7', 'out_w7_100x84'],
] as const;

/** The layer whose output a name of the reference stands for. */
function layerOf(name: string): string | undefined {
  const [kind, s, b, branch] = name.split('.');
  if (kind === 'embed') return 'patch_embed.norm';
  if (kind === 'raw') return `stages.${s}.blocks.1.add2`;
  if (kind === 'levels') return `norm${s}`;
  return kind === 'taps' ? `stages.${s}.blocks.${b}.${branch}` : undefined;
}

describe.each(backends)('swin equals the reference on %s', (backend) => {
  const models: Record<string, LayersModel> = {};
  beforeAll(async () => {
    await useBackend(backend);
    for (const [name, config] of Object.entries(referenceConfigs)) {
      models[name] = swin(config);
      await loadSwinWeights(models[name], fixtureWeights(`${name}_microsoft`));
    }
  });
  afterAll(() => {
    for (const model of Object.values(models)) model.dispose();
  });

  it.each(cases)('%s %s: embedding, every tap, raw stages and levels to 1e-4', (weights, file) => {
    const reference = readFixture(file);
    const names = [...reference.tensors.keys()].filter((name) => layerOf(name) !== undefined);
    const base = models[weights]!;
    const outputs = names.map((name) => base.getLayer(layerOf(name)!).output as SymbolicTensor);
    const probe = makeModel({ inputs: base.inputs, outputs });
    tf.tidy(() => {
      const results = probe.predict(imagesOf(reference)) as tf.Tensor[];
      const errors = results.map((t, i) => [names[i], maxDifference(t, tensorOf(reference, names[i]!))]);
      expect(errors.filter(([, error]) => !((error as number) < 1e-4))).toEqual([]);
      expect(errors.length).toBeGreaterThanOrEqual(9);
    });
  });
});
