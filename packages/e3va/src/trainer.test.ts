import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from './backend.ts';
import { measureMethods } from './measure-step.ts';
import { parseRecipe } from './recipe/parse.ts';
import type { SegmentationRecipe } from './recipe/schema.ts';
import { type SegmentationBatch, Segmenter } from './segmentation/segmenter.ts';
import { Trainer } from './trainer.ts';

const info = { classes: ['a', 'b', 'c'], ignoreIndex: 255 };
const recipeOf = (method: string, train = {}): SegmentationRecipe =>
  parseRecipe(
    {
      head: { channels: 8, dropout: 0 },
      train: { steps: 100, schedule: { policy: 'constant', warmupSteps: 0 }, ...train },
    },
    { flags: { method } },
  );

let batch: SegmentationBatch;
beforeAll(async () => {
  await useBackend('wasm');
  // labels that an image tells: the sign of one channel
  batch = tf.tidy(() => {
    const images = tf.randomNormal<tf.Rank.R4>([2, 64, 64, 3], 0, 1, 'float32', 7);
    const smooth = tf.avgPool(images, 9, 1, 'same');
    const [, , blue] = tf.split(smooth, 3, 3) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const labels = tf.squeeze(tf.cast(tf.greater(blue, 0), 'int32'), [3]) as tf.Tensor3D;
    return { images: tf.mul<tf.Tensor4D>(smooth, 9), labels };
  });
});
afterAll(() => tf.dispose([batch.images, batch.labels]));

async function losses(
  trainer: Trainer<SegmentationBatch>,
  steps: number,
  batches = [batch],
): Promise<number[]> {
  const out: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { total } = trainer.step(batches);
    out.push((await total.data())[0]!);
    total.dispose();
  }
  return out;
}

describe('Trainer', () => {
  it.each(['e3va', 'frozen', 'full'])('learns by %s, with a constant number of tensors', async (method) => {
    const before = tf.memory().numTensors;
    const recipe = recipeOf(method, { optimizer: { lr: 0.01 } });
    const segmenter = await Segmenter.create(recipe, info);
    const base = segmenter.adapted.base.weights.map((w) => w.read());
    const original = base.map((w) => w.dataSync().slice());
    const trainer = new Trainer(segmenter, recipe.train);
    const first = await losses(trainer, 2);
    const held = tf.memory().numTensors;
    const rest = await losses(trainer, 7);
    expect(tf.memory().numTensors).toBe(held);
    expect(rest.at(-1)).toBeLessThan(first[0]! * 0.9);
    const changed = base.filter((w, i) => w.dataSync().some((x, k) => x !== original[i]![k])).length;
    if (method === 'full') expect(changed).toBeGreaterThan(base.length / 2);
    else expect(changed).toBe(0);
    trainer.dispose();
    segmenter.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('averages the gradients of several batches: twice the same batch is that batch', async () => {
    const run = async (batches: SegmentationBatch[]) => {
      const segmenter = await Segmenter.create(recipeOf('e3va'), info);
      const trainer = new Trainer(segmenter, recipeOf('e3va').train);
      const values = await losses(trainer, 2, batches);
      trainer.dispose();
      segmenter.dispose();
      return values;
    };
    const [once, twice] = [await run([batch]), await run([batch, batch])];
    expect(twice[0]).toBeCloseTo(once[0]!, 6);
    expect(twice[1]).toBeCloseTo(once[1]!, 5);
  });

  it('gives the backbone a learning rate of its own', async () => {
    const recipe = recipeOf('frozen', { optimizer: { lr: 0.01, bodyLr: 0.001, weightDecay: 0 } });
    const segmenter = await Segmenter.create(recipe, info);
    const trainer = new Trainer(segmenter, recipe.train);
    const change = async (part: string, name: RegExp) => {
      const { variable } = segmenter.trainable().find((w) => w.part === part && name.test(w.key))!;
      return variable.read().dataSync().slice();
    };
    const before = [await change('adapter', /gamma/), await change('head', /classifier\/bias/)];
    await losses(trainer, 1);
    const after = [await change('adapter', /gamma/), await change('head', /classifier\/bias/)];
    const moved = before.map((b, i) => Math.max(...b.map((x, k) => Math.abs(x - after[i]![k]!))));
    expect(moved[0]).toBeCloseTo(0.001, 5); // AdamW's first step is the learning rate
    expect(moved[1]).toBeCloseTo(0.01, 4);
    trainer.dispose();
    segmenter.dispose();
  });

  it('starts from the same weights for the same seed, and from others for another', async () => {
    const firstLoss = async (seed: number) => {
      const recipe = recipeOf('e3va', { seed });
      const segmenter = await Segmenter.create(recipe, info);
      const trainer = new Trainer(segmenter, recipe.train);
      const [loss] = await losses(trainer, 1);
      trainer.dispose();
      segmenter.dispose();
      return loss;
    };
    const [a, b, c] = [await firstLoss(1), await firstLoss(1), await firstLoss(2)];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
  });
});

describe('measureMethods', () => {
  it('measures each method with the same head: E³VA needs less memory than full fine-tuning', async () => {
    const before = tf.memory().numTensors;
    const costs = await measureMethods(recipeOf('e3va'), info, batch, { steps: 1 });
    expect(tf.memory().numTensors).toBe(before);
    const of = Object.fromEntries(costs.map((cost) => [cost.method, cost]));
    expect(of.full!.trainable).toBe(2676262);
    expect(of.e3va!.trainable).toBe(121344);
    expect(of.frozen!.trainable).toBe(960);
    expect(of.e3va!.stepBytes).toBeLessThan(of.full!.stepBytes * 0.5);
    expect(of.frozen!.stepBytes).toBeLessThanOrEqual(of.e3va!.stepBytes);
    expect(of.e3va!.peakBytes).toBeLessThan(of.full!.peakBytes);
  });
});
