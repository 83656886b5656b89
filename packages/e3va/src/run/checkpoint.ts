import { existsSync, readFileSync } from 'node:fs';
import { decodeSafetensors, encodeSafetensors, writeFileAtomic } from '@e3va/adapter-core';
import { CheckpointError } from '../errors.ts';
import type { Recipe } from '../recipe/schema.ts';
import type { TaskModel } from '../task.ts';
import type { TrainerState } from '../trainer.ts';
import type { BestScore } from './log.ts';

/** What a checkpoint says of itself, in the metadata of its safetensors file. */
export interface CheckpointInfo {
  /** Version of the format. */
  format: 2;
  /** Steps done. */
  step: number;
  /** Updates of the average of the weights. */
  averaged: number;
  /** Seed of the run: with the step, the whole state of its random numbers. */
  seed: number;
  /** Best score so far, at which step, and evaluations since without a better one. */
  best: BestScore | null;
  sinceBest: number;
  /** Name of each class. */
  classes: string[];
  /** Segmentation: label of the pixels that do not count. */
  ignoreIndex?: number;
  /** Detection: the number of each class in COCO files. */
  categoryIds?: number[];
  /** Identifies the backbone's weights. */
  backbone: string;
  recipe: Recipe;
}

/** A checkpoint: its description and its tensors. */
export interface Checkpoint {
  info: CheckpointInfo;
  tensors: TrainerState['tensors'];
}

/** Key of a checkpoint's description in the metadata of its file. */
export const metadataKey = 'e3va';

/** Writes a checkpoint, whole or not at all. */
export async function saveCheckpoint(path: string, { info, tensors }: Checkpoint): Promise<void> {
  const plain = Object.fromEntries(
    Object.entries(tensors).map(([key, { shape, data }]) => [key, { shape: [...shape], data }]),
  );
  await writeFileAtomic(path, encodeSafetensors(plain, { [metadataKey]: JSON.stringify(info) }));
}

/**
 * Reads a checkpoint.
 *
 * @throws {@link CheckpointError} if there is none, or the file is another kind of safetensors.
 * @throws SafetensorsError if the file is damaged or cut short.
 */
export function readCheckpoint(path: string): Checkpoint {
  if (!existsSync(path)) {
    throw new CheckpointError({
      what: `there is no checkpoint ${path}`,
      fix: 'train until the first evaluation or stop with Ctrl-C once: both write checkpoints',
    });
  }
  const { tensors, metadata } = decodeSafetensors(readFileSync(path), path);
  const text = metadata[metadataKey];
  const info = text === undefined ? undefined : (JSON.parse(text) as CheckpointInfo);
  if (info?.format !== 2) {
    throw new CheckpointError({
      what: `${path} is no checkpoint of e3va train`,
      expected: 'a safetensors file with the metadata key e3va, format 2',
      received: info
        ? `format ${info.format}`
        : `the metadata keys ${Object.keys(metadata).join(', ') || '(none)'}`,
    });
  }
  const plain = [...tensors].map(([key, { shape, data }]) => [key, { shape, data: data as Float32Array }]);
  return { info, tensors: Object.fromEntries(plain) };
}

/**
 * Checks that a checkpoint belongs to a model: the same backbone, and a tensor of the right shape for each weight.
 *
 * @throws {@link CheckpointError} that names the first difference.
 */
export function checkFits({ info, tensors }: Checkpoint, model: TaskModel): void {
  if (info.backbone !== model.backboneId) {
    throw new CheckpointError({
      what: 'the checkpoint was trained on another backbone',
      expected: info.backbone,
      received: model.backboneId,
      fix: `use the weights of backbone.name: ${info.recipe.backbone.name} that it was trained with`,
    });
  }
  for (const { key, variable } of model.state()) {
    const { shape } = variable;
    const found = tensors[`model/${key}`];
    if (found && found.shape.join() === shape.join()) continue;
    throw new CheckpointError({
      what: `the checkpoint does not fit the model: ${key}`,
      expected: `[${shape}]`,
      received: found ? `[${found.shape}]` : 'nothing of that name',
      fix: 'keep method, head and classes as they were in the run',
    });
  }
}
