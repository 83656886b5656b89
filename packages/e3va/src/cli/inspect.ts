import { useBackend } from '../backend.ts';
import { openData } from '../data.ts';
import { measureStep } from '../measure-step.ts';
import type { Recipe } from '../recipe/schema.ts';
import { type ClassInfo, disposeBatch } from '../task.ts';
import { taskOf } from '../tasks.ts';
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
  const model = await taskOf(recipe).createModel(recipe, data);
  model.adapted.summary(print);
  print('');
  print('Levels');
  for (const { name, channels, stride } of model.adapted.levels) {
    print(`  ${name.padEnd(10)} ${String(channels).padStart(5)} channels, stride ${stride}`);
  }
  const trainer = new Trainer(model, recipe.train);
  const { trainable } = model.adapted.parameters;
  print(
    `Head: ${recipe.head.name}, ${data.classes.length} classes, ${(trainer.parameters - trainable).toLocaleString('en-US')} parameters`,
  );
  await printMemory(trainer, recipe, backend, print);
  trainer.dispose();
  model.dispose();
}

async function printMemory(
  trainer: Trainer,
  recipe: Recipe,
  backend: string,
  print: (line: string) => void,
): Promise<void> {
  const { batch } = recipe.train;
  const empty = taskOf(recipe).emptyBatch(recipe);
  const [, height, width] = empty.images.shape;
  const { peakBytes, stepBytes, milliseconds } = await measureStep(trainer, empty, 1);
  disposeBatch(empty);
  const megabytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MB`;
  print(
    `One training step of one image of ${height}x${width} on ${backend}: ${megabytes(peakBytes)}, ${Math.round(milliseconds)} ms; ` +
      `batch ${batch}: about ${megabytes(peakBytes + stepBytes * (batch - 1))}`,
  );
}
