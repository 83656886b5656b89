import * as tf from '@tensorflow/tfjs-core';
import { parseRecipe, Segmenter, Trainer, useBackend } from 'e3va';
import { expect, it } from 'vitest';

it('300 training steps keep the number of tensors, and the resident memory to 5 %', async () => {
  await useBackend('wasm');
  const recipe = parseRecipe({ train: { steps: 300 }, head: { channels: 32 } });
  const segmenter = await Segmenter.create(recipe, { classes: ['a', 'b', 'c'], ignoreIndex: 255 });
  const trainer = new Trainer(segmenter, recipe.train);
  const counts: number[] = [];
  const resident: number[] = [];
  for (let step = 0; step < 300; step++) {
    const images = tf.randomNormal<tf.Rank.R4>([2, 64, 96, 3]);
    const labels = tf.randomUniform<tf.Rank.R3>([2, 64, 96], 0, 3, 'int32');
    const loss = trainer.step([{ images, labels }]);
    expect(Number.isFinite((await loss.data())[0])).toBe(true);
    tf.dispose([images, labels, loss]);
    counts.push(tf.memory().numTensors);
    resident.push(process.memoryUsage().rss);
  }
  // the first steps make the optimiser's state and grow the heap to its size
  expect(new Set(counts.slice(2)).size).toBe(1);
  const median = (from: number) => resident.slice(from, from + 40).sort((a, b) => a - b)[20]!;
  const growth = median(260) / median(60) - 1;
  console.log(
    `resident memory ${(median(60) / 1e6).toFixed(0)} MB after 60 steps, ${(100 * growth).toFixed(1)} % more after 260`,
  );
  expect(growth).toBeLessThan(0.05);
});
