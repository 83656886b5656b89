import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { useBackend } from './backend.ts';
import { parseRecipe } from './recipe/parse.ts';
import { Segmenter } from './segmentation/segmenter.ts';
import { Trainer } from './trainer.ts';

it('holds memory flat over 300 steps: tensors constant, resident size within 5 %', async () => {
  await useBackend('wasm');
  const recipe = parseRecipe({
    train: { steps: 400, ema: 0.99, clipNorm: 1 },
    head: { channels: 32, aux: { channels: 16 } },
  });
  const segmenter = await Segmenter.create(recipe, { classes: ['a', 'b', 'c'], ignoreIndex: 255 });
  const trainer = new Trainer(segmenter, recipe.train);
  const step = async () => {
    const images = tf.randomNormal<tf.Rank.R4>([2, 96, 128, 3]);
    const labels = tf.randomUniform<tf.Rank.R3>([2, 96, 128], 0, 3, 'int32');
    const { total } = trainer.step([{ images, labels }]);
    expect(Number.isFinite((await total.data())[0])).toBe(true);
    tf.dispose([images, labels, total]);
    return { tensors: tf.memory().numTensors, rss: process.memoryUsage.rss() };
  };
  const seen: Awaited<ReturnType<typeof step>>[] = [];
  for (let i = 0; i < 340; i++) seen.push(await step());
  const settled = seen.slice(40); // JIT and caches
  expect(new Set(settled.map(({ tensors }) => tensors)).size).toBe(1);
  const mean = (part: typeof seen) => part.reduce((sum, { rss }) => sum + rss, 0) / part.length;
  const [first, last] = [mean(settled.slice(0, 30)), mean(settled.slice(-30))];
  console.log(
    `resident: ${Math.round(first / 2 ** 20)} MB at step 55, ${Math.round(last / 2 ** 20)} MB at step 325`,
  );
  expect(last / first).toBeLessThan(1.05);
});
