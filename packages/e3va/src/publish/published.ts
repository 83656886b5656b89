import { encodeSafetensors, type TensorData } from '@e3va/adapter-core';
import type { WeightFile } from '@e3va/weight-files';
import { CheckpointError, RecipeError } from '../errors.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { type Checkpoint, type CheckpointInfo, metadataKey } from '../run/checkpoint.ts';

/** Name of a published model in a repository. */
export const publishedFile = 'model.safetensors';

/**
 * A checkpoint without what only training needs, the optimiser's moments: the adapter and the head, averaged where the run kept an
 * average. The backbone is named in it and not contained.
 */
export function publishable({ info, tensors }: Checkpoint): Uint8Array {
  const trained: Record<string, TensorData> = {};
  for (const [key, { shape, data }] of Object.entries(tensors)) {
    const found = /^(model|ema)\/(.*)$/.exec(key);
    if (!found || (found[1] === 'model' && tensors[`ema/${found[2]}`])) continue;
    trained[`model/${found[2]}`] = { shape: [...shape], data };
  }
  return encodeSafetensors(trained, { [metadataKey]: JSON.stringify(info) });
}

/** Whether a weight file is a model that e3va trained. */
export function isPublished({ metadata }: WeightFile): boolean {
  return metadata[metadataKey] !== undefined;
}

/**
 * Reads a model that e3va trained from an open weight file.
 *
 * @throws {@link CheckpointError} if it is of another version; RecipeError if its recipe is none.
 */
export async function readPublished(file: WeightFile): Promise<Checkpoint> {
  const info = infoOf(file);
  const tensors: Checkpoint['tensors'] = {};
  for (const name of file.entries.keys())
    tensors[name] = (await file.read(name)) as Checkpoint['tensors'][string];
  return { info, tensors };
}

function infoOf({ name, metadata }: WeightFile): CheckpointInfo {
  try {
    const info = JSON.parse(metadata[metadataKey]!) as CheckpointInfo;
    if (info?.format === 2) return { ...info, recipe: parseRecipe(info.recipe) };
  } catch (error) {
    if (error instanceof RecipeError) throw error; // other errors fall through to the one below
  }
  throw new CheckpointError({
    what: `${name} is no model of this version of e3va`,
    expected: 'the metadata key e3va with format 2',
  });
}
