import { join } from 'node:path';
import { type LabelMap, type MaskFolder, overlay, paletteColors } from '@e3va/datasets';
import * as tf from '@tensorflow/tfjs-core';
import type { SegmentationRecipe } from '../recipe/schema.ts';
import type { Task } from '../task.ts';
import { maskBatches, openMasks } from './data.ts';
import { evaluate, predictImage } from './evaluate.ts';
import { predictionSection } from './pictures.ts';
import { predictFiles } from './predict-files.ts';
import { type SegmentationBatch, Segmenter } from './segmenter.ts';

/** Semantic segmentation: a class for each pixel, scored by mIoU. */
export const segmentation: Task<SegmentationRecipe, MaskFolder, Segmenter> = {
  openData: openMasks,
  createModel: (recipe, data, base) => Segmenter.create(recipe, data, base),
  trainBatches: maskBatches,

  emptyBatch({ train: { crop } }): SegmentationBatch {
    const [height, width] = crop;
    return { images: tf.zeros([1, height, width, 3]), labels: tf.zeros([1, height, width], 'int32') };
  },

  async evaluate(segmenter, data, split) {
    const { mIoU, aAcc, mAcc, perClass } = await evaluate(segmenter, data.split(split as 'val'), data);
    return {
      metric: 'mIoU',
      scores: { mIoU, aAcc, mAcc },
      perClass: { IoU: perClass.iou, Acc: perClass.acc, Dice: perClass.dice },
    };
  },

  async picture(segmenter, data, split) {
    const { image } = await data.split(split as 'val').load(0);
    const labels: LabelMap = { ...image, data: await predictImage(segmenter, image) };
    return overlay(image, labels, 0.5, paletteColors(segmenter.classes));
  },

  async reportSections(segmenter, data, split) {
    return [await predictionSection(segmenter, data.split(split as 'val'))];
  },

  async *predictFiles(segmenter, inputs, out, options) {
    for await (const { input, mask, index, overlay, shares } of predictFiles(
      segmenter,
      inputs,
      out,
      options,
    )) {
      const parts = shares.slice(0, 8).map(({ name, share }) => `${name} ${(100 * share).toFixed(1)} %`);
      yield `${input}: ${parts.join(', ')}${shares.length > 8 ? ', …' : ''}`;
      yield* [mask, index, ...(overlay === undefined ? [] : [overlay])];
    }
    yield join(out, 'classes.json');
  },
};
