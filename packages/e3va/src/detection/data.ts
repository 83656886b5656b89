import {
  type DetectionFolder,
  detectionAugmentation,
  detectionBatches,
  openDetectionFolder,
  rng,
} from '@e3va/datasets';
import { folderOf, streamOptions } from '../data-options.ts';
import type { DetectionRecipe } from '../recipe/schema.ts';
import { type DetectionBatch, findsMasks } from './detection-model.ts';

/** Opens the folder of images and objects of a recipe. */
export async function openObjects(recipe: Pick<DetectionRecipe, 'data' | 'train'>): Promise<DetectionFolder> {
  const { dir, options } = folderOf(recipe, 'a folder of images with COCO, VOC, YOLO or LabelMe annotations');
  return openDetectionFolder(dir, options);
}

/** Training batches: augmented, normalised, padded to a multiple of 32, shuffled anew in each epoch. */
export async function objectBatches(
  folder: DetectionFolder,
  recipe: DetectionRecipe,
  startBatch: number,
): Promise<() => Promise<DetectionBatch>> {
  const { shortSide, maxSide, flip, photometric, crop, mosaic, sampling, groupByAspect, seed } = recipe.train;
  const transform = detectionAugmentation({
    shortSide,
    maxSide,
    flip,
    photometric,
    minIouCrop: crop === 'min-iou',
  });
  const dataset = detectionBatches(folder.split('train'), {
    ...streamOptions(recipe, startBatch),
    transform,
    mosaic,
    sampling,
    groupByAspect,
    masks: findsMasks(recipe),
  });
  const iterator = await dataset.iterator();
  let taken = startBatch;
  return async () => {
    const { images, targets, sizes } = (await iterator.next()).value;
    return { images, targets, sizes, random: rng(seed, taken++, samplerDraws).next };
  };
}

/** In place of an image's index: the random numbers of the heads' samplers are those of no image. */
const samplerDraws = -2;
