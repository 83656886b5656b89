import {
  batches,
  type MaskFolder,
  openMaskFolder,
  trainAugmentation,
  UnknownLayoutError,
} from '@e3va/datasets';
import { folderOf, streamOptions } from '../data-options.ts';
import type { SegmentationRecipe } from '../recipe/schema.ts';
import type { SegmentationBatch } from './segmenter.ts';

/** Opens the folder of images and masks of a recipe. */
export async function openMasks(recipe: Pick<SegmentationRecipe, 'data' | 'train'>): Promise<MaskFolder> {
  const { dir, options } = folderOf(recipe, 'a folder of images and masks');
  try {
    return await openMaskFolder(dir, options);
  } catch (error) {
    if (!(error instanceof UnknownLayoutError)) throw error;
    const fix = `${error.parts.fix}; if it holds images with boxes, add --task detection`;
    throw new UnknownLayoutError({ ...error.parts, fix }, { cause: error });
  }
}

/** Training batches: augmented, normalised, shuffled anew in each epoch. */
export async function maskBatches(
  folder: MaskFolder,
  recipe: SegmentationRecipe,
  startBatch: number,
): Promise<() => Promise<SegmentationBatch>> {
  const { crop, scale, flip, photometric, categoryCap } = recipe.train;
  const transform = trainAugmentation({
    crop,
    scale,
    flip,
    catMaxRatio: categoryCap,
    ignoreIndex: folder.ignoreIndex,
    ...(photometric ? {} : { photometric: false as const }),
  });
  const dataset = batches(folder.split('train'), {
    ...streamOptions(recipe, startBatch),
    transform,
  });
  const iterator = await dataset.iterator();
  return async () => (await iterator.next()).value;
}
