import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../backend.ts';
import type { Recipe } from '../recipe/schema.ts';
import { Segmenter } from '../segmenter.ts';
import { type Checkpoint, type CheckpointInfo, checkFits, readCheckpoint } from './checkpoint.ts';
import { RunFolder } from './run-folder.ts';

/** A trained model of a run, ready for `evaluate` and `predictImage`. */
export interface LoadedRun {
  folder: RunFolder;
  recipe: Recipe;
  info: CheckpointInfo;
  segmenter: Segmenter;
}

/**
 * Loads the model that a run trained: the best checkpoint, or the last one where there is no best. The averaged weights are
 * taken where the run kept an average.
 *
 * @param dir Folder of the run; `runs/latest` is the latest one.
 * @param backend Backend to use in place of the recipe's.
 * @throws RunError, CheckpointError or SafetensorsError if the run cannot be loaded.
 *
 * @example
 * ```ts no-run
 * import { readImage } from '@e3va/datasets';
 * import { loadRun, predictImage } from 'e3va';
 *
 * const { segmenter, info } = await loadRun('runs/latest');
 * const labels = await predictImage(segmenter, await readImage('photo.jpg'));
 * console.log(info.classes[labels[0]!]); // class of the top left pixel
 * ```
 */
export async function loadRun(dir: string, backend?: Recipe['backend']): Promise<LoadedRun> {
  const folder = RunFolder.open(dir);
  const best = folder.checkpointPath('best');
  const checkpoint = readCheckpoint(existsSync(best) ? best : folder.checkpointPath('last'));
  const { info } = checkpoint;
  await useBackend(backend ?? info.recipe.backend);
  const segmenter = await Segmenter.create(info.recipe, info);
  applyCheckpoint(segmenter, checkpoint);
  return { folder, recipe: info.recipe, info, segmenter };
}

/**
 * Puts the weights of a checkpoint into a segmenter, the averaged ones where there are some.
 *
 * @throws CheckpointError if it belongs to another model; nothing is changed then.
 */
export function applyCheckpoint(segmenter: Segmenter, checkpoint: Checkpoint): void {
  checkFits(checkpoint, segmenter);
  for (const { key, variable } of segmenter.state()) {
    const { data, shape } = checkpoint.tensors[`ema/${key}`] ?? checkpoint.tensors[`model/${key}`]!;
    tf.tidy(() => void variable.write(tf.tensor(data, shape as number[])));
  }
}
