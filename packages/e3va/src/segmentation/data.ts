import {
  batches,
  type MaskFolder,
  openMaskFolder,
  trainAugmentation,
  UnknownLayoutError,
} from '@e3va/datasets';
import { imagenetMean, imagenetStd } from '@e3va/swin';
import { definedOnly, folderOf } from '../data-options.ts';
import type { SegmentationRecipe } from '../recipe/schema.ts';
import type { SegmentationBatch } from './segmenter.ts';

/** Opens the folder of images and masks of a recipe. */
export async function openMasks({
  data,
  train,
}: Pick<SegmentationRecipe, 'data' | 'train'>): Promise<MaskFolder> {
  const { dir: _, cacheMegabytes: __, ...options } = data;
  const dir = folderOf(data, 'a folder of images and masks');
  try {
    return await openMaskFolder(dir, { seed: train.seed, ...definedOnly(options) });
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
  const { batch, crop, scale, flip, photometric, categoryCap, seed } = recipe.train;
  const transform = trainAugmentation({
    crop,
    scale,
    flip,
    catMaxRatio: categoryCap,
    ignoreIndex: folder.ignoreIndex,
    ...(photometric ? {} : { photometric: false as const }),
  });
  const dataset = batches(folder.split('train'), {
    batchSize: batch,
    transform,
    seed,
    shuffle: true,
    repeat: true,
    startBatch,
    cacheBytes: recipe.data.cacheMegabytes * 2 ** 20,
    mean: imagenetMean,
    std: imagenetStd,
  });
  const iterator = await dataset.iterator();
  return async () => (await iterator.next()).value;
}
