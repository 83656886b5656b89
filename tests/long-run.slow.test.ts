import * as tf from '@tensorflow/tfjs-core';
import { parseRecipe, Segmenter, Trainer, useBackend } from 'e3va';
import { expect, it } from 'vitest';

it('300 training steps keep the number of tensors and the size of the wasm heap', async () => {
  await useBackend('wasm');
  const recipe = parseRecipe({ train: { steps: 300 }, head: { channels: 32 } });
  const segmenter = await Segmenter.create(recipe, { classes: ['a', 'b', 'c'], ignoreIndex: 255 });
  const trainer = new Trainer(segmenter, recipe.train);
  const counts: number[] = [];
  const heap: number[] = [];
  const { wasm } = tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } };
  for (let step = 0; step < 300; step++) {
    const images = tf.randomNormal<tf.Rank.R4>([2, 64, 96, 3]);
    const labels = tf.randomUniform<tf.Rank.R3>([2, 64, 96], 0, 3, 'int32');
    const { total } = trainer.step([{ images, labels }]);
    expect(Number.isFinite((await total.data())[0])).toBe(true);
    tf.dispose([images, labels, total]);
    counts.push(tf.memory().numTensors);
    heap.push(wasm.HEAPU8.byteLength);
  }
  // the first steps make the optimiser's state and grow the heap to its size; a heap that goes on growing is scattered
  expect(new Set(counts.slice(2)).size).toBe(1);
  console.log(`wasm heap ${heap[60]! / 1e6} MB after 60 steps, ${heap.at(-1)! / 1e6} MB after 300`);
  expect(heap.at(-1)! / heap[60]!).toBeLessThan(1.05);
});
