import { measure } from '@e3va/highway-grad';
import { dispose } from '@tensorflow/tfjs-core';
import { parseRecipe } from './recipe/parse.ts';
import type { Recipe } from './recipe/schema.ts';
import type { Batch, ClassInfo } from './task.ts';
import { taskOf } from './tasks.ts';
import { Trainer } from './trainer.ts';

/** What one training step of a method costs. */
export interface StepCost {
  method: Recipe['method']['name'];
  /** Parameters trained in the backbone and its adapter. */
  trainable: number;
  /** Most bytes of tensor data that lived at once: weights, optimiser state, batch, and what the step needs. */
  peakBytes: number;
  /** How far the step rose above what is held between steps; each buffer counted once. */
  stepBytes: number;
  /** Median time of a step. */
  milliseconds: number;
  /** Loss of the first step. */
  loss: number;
}

/**
 * Measures one training step of several methods on the same batch with the same head: peak memory and time. The first step of
 * each, which fills caches and makes the optimiser's state, is not counted.
 *
 * @param recipe Model and optimiser; its method is replaced.
 * @param batch The batch. It is not disposed of.
 * @param options Methods to measure, and timed steps of each; the median is reported.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { measureMethods, parseRecipe, useBackend } from 'e3va';
 *
 * await useBackend('wasm');
 * const images = tf.randomNormal<tf.Rank.R4>([1, 64, 64, 3]);
 * const labels = tf.zeros<tf.Rank.R3>([1, 64, 64], 'int32');
 * const data = { classes: ['a', 'b'], ignoreIndex: 255 };
 * const batch = { images, labels };
 * const costs = await measureMethods(parseRecipe({}), data, batch, { steps: 1 });
 * console.log(costs.map((c) => `${c.method} ${c.peakBytes} bytes`));
 * ```
 */
export async function measureMethods(
  recipe: Recipe,
  data: ClassInfo,
  batch: Batch,
  options: { methods?: readonly StepCost['method'][]; steps?: number } = {},
): Promise<StepCost[]> {
  const { methods = ['full', 'frozen', 'e3va'], steps = 3 } = options;
  const costs: StepCost[] = [];
  for (const name of methods) {
    const own = name === recipe.method.name ? recipe.method : parseRecipe({ method: { name } }).method;
    const model = await taskOf(recipe).createModel({ ...recipe, method: own }, data);
    const trainer = new Trainer(model, recipe.train);
    costs.push({ method: name, ...(await measureStep(trainer, batch, steps)) });
    trainer.dispose();
    model.dispose();
  }
  return costs;
}

/** Measures one step of a trainer; it makes `steps + 1` of them. */
export async function measureStep(
  trainer: Trainer,
  batch: Batch,
  steps = 3,
): Promise<Omit<StepCost, 'method'>> {
  const step = async () => {
    const { total, losses } = trainer.step([batch]);
    const value = (await total.data())[0]!;
    dispose([total, losses]);
    return value;
  };
  const loss = await step();
  const times: number[] = [];
  let [peakBytes, stepBytes] = [0, 0];
  for (let i = 0; i < steps; i++) {
    const measured = await measure(step);
    peakBytes = Math.max(peakBytes, measured.peakBytes);
    stepBytes = Math.max(stepBytes, measured.growthBytes);
    times.push(measured.milliseconds);
  }
  times.sort((a, b) => a - b);
  const trainable = trainer.model.adapted.parameters.trainable;
  return { trainable, peakBytes, stepBytes, milliseconds: times[Math.floor(times.length / 2)]!, loss };
}
