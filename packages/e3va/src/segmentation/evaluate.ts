import { detectionInput, imageTensor, type RgbImage, type SegmentationSplit } from '@e3va/datasets';
import { ConfusionMatrix, type SegmentationScores } from '@e3va/metrics';
import { argmaxLabels, labelsAt } from '@e3va/seg-heads';
import * as tf from '@tensorflow/tfjs-core';
import { DivergedError } from '../errors.ts';
import type { ClassInfo } from '../task.ts';
import type { Segmenter } from './segmenter.ts';

/**
 * The class of each pixel of an image, row by row. Where the recipe names the side of the network's input, the image is resized to it
 * and the logits back to the image.
 *
 * @throws {@link DivergedError} if the model's logits are not finite.
 */
export async function predictImage(segmenter: Segmenter, image: RgbImage): Promise<Int32Array> {
  const { shortSide, maxSide } = segmenter.recipe.eval;
  const input = shortSide === undefined ? image : detectionInput(image, { shortSide, maxSide }).image;
  const [logits, total] = tf.tidy(() => {
    const values = segmenter.logits(imageTensor(input));
    return [values, tf.sum(values)] as const;
  });
  try {
    const [sum] = await total.data();
    if (!Number.isFinite(sum)) {
      throw new DivergedError({
        what: 'the model gives logits that are not finite',
        fix: 'its weights diverged in training: use an earlier checkpoint, or train with a lower learning rate',
      });
    }
    if (input !== image) return await labelsAt(logits, [image.height, image.width]);
    const labels = argmaxLabels(logits);
    const data = await labels.data();
    labels.dispose();
    return data as Int32Array;
  } finally {
    tf.dispose([logits, total]);
  }
}

/**
 * Scores a segmenter on every image of a split, at the images' own size.
 *
 * @param info Number of classes and ignored label, where they are not those of the training data.
 */
export async function evaluate(
  segmenter: Segmenter,
  split: SegmentationSplit,
  { classes, ignoreIndex }: ClassInfo = segmenter.info,
): Promise<SegmentationScores> {
  const matrix = new ConfusionMatrix(classes.length, ignoreIndex);
  for (let i = 0; i < split.length; i++) {
    const { image, mask } = await split.load(i);
    matrix.add(await predictImage(segmenter, image), mask.data);
  }
  return matrix.result();
}
