import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { swin } from '@e3va/swin';
import { beforeAll, expect, it } from 'vitest';
import { loadBackbone } from './backbone.ts';
import { methodNames } from './recipe/method-schema.ts';
import { parseRecipe } from './recipe/parse.ts';

beforeAll(() => tf.setBackend('cpu'));

const tiny = () => swin({ embedDim: 8, depths: [2, 2, 2, 2], heads: [1, 2, 2, 4], window: 4 });

it.each(methodNames)('a recipe puts method %s on the backbone, by its own options', async (name) => {
  const { backbone, method } = parseRecipe({ method: { name } as never });
  const { adapted } = await loadBackbone({ backbone, method }, 1, tiny());
  expect(adapted.method.name).toBe(name);
  expect(adapted.parameters.trainable).toBeGreaterThan(0);
  expect(adapted.levels.map(({ stride }) => stride)).toEqual([4, 8, 16, 32]);
});

it('patterns of layers are the text of regular expressions', async () => {
  const { backbone, method } = parseRecipe({ method: { name: 'lora', targets: 'mlp\\.fc1$', rank: 2 } });
  const { adapted } = await loadBackbone({ backbone, method }, 1, tiny());
  const names = new Set(adapted.trainableWeights.map((w) => w.originalName.split('/')[0]));
  expect(names.size).toBe(8);
  expect([...names].every((name) => /mlp\.fc1$/.test(name!))).toBe(true);
});
