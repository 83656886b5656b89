import { parseModelId } from '@e3va/hub';
import { fcnHead, uperNet } from '@e3va/seg-heads';
import { swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { hubIdOf, isEmbedded, models } from './catalogue.ts';

describe('models', () => {
  it('have names and ids that are valid and stand once', () => {
    const names = models.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { name, hub, licence, trained, parameters } of models) {
      expect(name).toMatch(/^[a-z0-9-]+$/);
      if (hub !== undefined) expect(parseModelId(hub).repo).toBe(hub);
      expect([licence, trained].every((text) => text.length > 2)).toBe(true);
      expect(parameters).toBeGreaterThan(1e6);
    }
  });

  it('may be named without the family where it is Swin, and others stay as they are', () => {
    expect(hubIdOf('tiny')).toBe(swinPresets.tiny.hub);
    expect(hubIdOf('swin-tiny')).toBe(swinPresets.tiny.hub);
    expect(hubIdOf('org/name@v1')).toBe('org/name@v1');
    expect(hubIdOf('constructor')).toBe('constructor');
    expect([isEmbedded('nano'), isEmbedded('swin-nano'), isEmbedded('tiny')]).toEqual([true, true, false]);
  });

  it.each([
    ['upernet-swin-tiny', 'tiny'],
    ['upernet-swin-small', 'small'],
    ['upernet-swin-base', 'base-window12'],
    ['upernet-swin-large', 'large-window12'],
  ] as const)('%s has the parameters it states', async (name, preset) => {
    await tf.setBackend('cpu');
    const { embedDim, parameters } = swinPresets[preset];
    const levels = [0, 1, 2, 3].map((s) => ({
      name: `level${s}`,
      channels: embedDim * 2 ** s,
      stride: 4 << s,
    }));
    const heads = [uperNet({ levels, classes: 150 }), fcnHead({ level: levels[2]!, classes: 150 })];
    const trained = heads.flatMap((head) => head.trainableWeights);
    const count = trained.reduce((sum, weight) => sum + weight.shape.reduce<number>((a, b) => a * b!, 1), 0);
    for (const head of heads) head.dispose();
    expect(models.find((model) => model.name === name)!.parameters).toBe(parameters + count);
  });
});
