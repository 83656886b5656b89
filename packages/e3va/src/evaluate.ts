import { imageTensor, type RgbImage, type SegmentationSplit } from '@e3va/datasets';
import { ConfusionMatrix, type SegmentationScores } from '@e3va/metrics';
import * as tf from '@tensorflow/tfjs-core';
import type { ClassInfo, Segmenter } from './segmenter.ts';

/** The class of each pixel of an image. */
export async function predictImage(segmenter: Segmenter, image: RgbImage): Promise<Int32Array> {
  const labels = tf.tidy(() => segmenter.predict(imageTensor(image)));
  const data = (await labels.data()) as Int32Array;
  labels.dispose();
  return data;
}

/**
 * Scores a segmenter on every image of a split, at the images' own size.
 *
 * @param onImage Called after each image.
 */
export async function evaluate(
  segmenter: Segmenter,
  split: SegmentationSplit,
  { classes, ignoreIndex }: ClassInfo,
  onImage: (done: number, total: number) => void = () => {},
): Promise<SegmentationScores> {
  const matrix = new ConfusionMatrix(classes.length, ignoreIndex);
  for (let i = 0; i < split.length; i++) {
    const { image, mask } = await split.load(i);
    matrix.add(await predictImage(segmenter, image), mask.data);
    onImage(i + 1, split.length);
  }
  return matrix.result();
}
