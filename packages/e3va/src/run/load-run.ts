import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../backend.ts';
import type { DetectionModel } from '../detection/detection-model.ts';
import { RunError } from '../errors.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { Segmenter } from '../segmentation/segmenter.ts';
import type { TaskModel } from '../task.ts';
import { taskOf } from '../tasks.ts';
import { type Checkpoint, type CheckpointInfo, checkFits, readCheckpoint } from './checkpoint.ts';
import { RunFolder } from './run-folder.ts';

/** A trained model of a run, ready to predict. */
export interface LoadedRun<T extends Recipe['task'] = Recipe['task']> {
  folder: RunFolder;
  recipe: Recipe;
  info: CheckpointInfo;
  /** What the run trained: a {@link Segmenter} or a {@link DetectionModel}, as the task of the recipe says. */
  model: T extends 'segmentation' ? Segmenter : DetectionModel;
}

/** How {@link loadRun} loads. */
export interface LoadRunOptions<T extends Recipe['task'] = Recipe['task']> {
  /** The task that the run must be of. Default: any. */
  task?: T;
  /** Backend to use in place of the recipe's. */
  backend?: Recipe['backend'] | undefined;
}

/**
 * Loads the model that a run trained: the best checkpoint, or the last one where there is no best. The averaged weights are
 * taken where the run kept an average.
 *
 * @param dir Folder of the run; `runs/latest` is the latest one.
 * @throws RunError, CheckpointError or SafetensorsError if the run cannot be loaded or is of another task.
 *
 * @example
 * ```ts no-run
 * import { readImage } from '@e3va/datasets';
 * import { detectImage, loadRun } from 'e3va';
 *
 * const { model, info } = await loadRun('runs/latest', { task: 'detection' });
 * for (const { box, label, score } of await detectImage(model, await readImage('photo.jpg'))) {
 *   console.log(info.classes[label], score, box);
 * }
 * ```
 */
export async function loadRun<T extends Recipe['task']>(
  dir: string,
  { task, backend }: LoadRunOptions<T> = {},
): Promise<LoadedRun<T>> {
  const folder = RunFolder.open(dir);
  const checkpoint = readCheckpoint(folder.trainedPath);
  const { info } = checkpoint;
  const { recipe } = info;
  if (task !== undefined && recipe.task !== task) {
    throw new RunError({ what: `${dir} is a run of another task`, expected: task, received: recipe.task });
  }
  await useBackend(backend ?? recipe.backend);
  const model = await taskOf(recipe).createModel(recipe, info);
  applyCheckpoint(model, checkpoint);
  return { folder, recipe, info, model: model as LoadedRun<T>['model'] };
}

/**
 * Puts the weights of a checkpoint into a model, the averaged ones where there are some.
 *
 * @throws CheckpointError if it belongs to another model; nothing is changed then.
 */
export function applyCheckpoint(model: TaskModel, checkpoint: Checkpoint): void {
  checkFits(checkpoint, model);
  for (const { key, variable } of model.state()) {
    const { data, shape } = checkpoint.tensors[`ema/${key}`] ?? checkpoint.tensors[`model/${key}`]!;
    tf.tidy(() => void variable.write(tf.tensor(data, shape as number[])));
  }
}
