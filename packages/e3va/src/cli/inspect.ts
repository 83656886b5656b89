import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../backend.ts';
import { openData } from '../data.ts';
import { measureStep } from '../measure-step.ts';
import type { Recipe } from '../recipe/schema.ts';
import { type ClassInfo, Segmenter } from '../segmenter.ts';
import { Trainer } from '../trainer.ts';

/**
 * Prints the summary of the adapted backbone, its levels, the parameters of the heads, and the memory of one training step of
 * one image, measured.
 *
 * @param classes Number of classes where the recipe names no data folder.
 */
export async function inspect(recipe: Recipe, classes: number, print: (line: string) => void): Promise<void> {
  const { name: backend } = await useBackend(recipe.backend);
  const data: ClassInfo = recipe.data.dir
    ? await openData(recipe)
    : { classes: Array.from({ length: classes }, (_, i) => `class ${i}`), ignoreIndex: 255 };
  const segmenter = await Segmenter.create(recipe, data);
  segmenter.adapted.summary(print);
  print('');
  print('Levels');
  for (const { name, channels, stride } of segmenter.adapted.levels) {
    print(`  ${name.padEnd(10)} ${String(channels).padStart(5)} channels, stride ${stride}`);
  }
  const trainer = new Trainer(segmenter, recipe.train);
  const { trainable } = segmenter.adapted.parameters;
  print(
    `Head: ${recipe.head.name}, ${data.classes.length} classes, ${(trainer.parameters - trainable).toLocaleString('en-US')} parameters`,
  );
  await printMemory(trainer, recipe, backend, print);
  trainer.dispose();
  segmenter.dispose();
}

async function printMemory(
  trainer: Trainer,
  recipe: Recipe,
  backend: string,
  print: (line: string) => void,
): Promise<void> {
  const { crop, batch } = recipe.train;
  const [height, width] = crop;
  const images = tf.zeros<tf.Rank.R4>([1, height, width, 3]);
  const labels = tf.zeros<tf.Rank.R3>([1, height, width], 'int32');
  const { peakBytes, stepBytes, milliseconds } = await measureStep(trainer, { images, labels }, 1);
  tf.dispose([images, labels]);
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
  print(
    `One training step of one image of ${height}x${width} on ${backend}: ${megabytes(peakBytes)}, ${Math.round(milliseconds)} ms; ` +
      `batch ${batch}: about ${megabytes(peakBytes + stepBytes * (batch - 1))}`,
  );
}
