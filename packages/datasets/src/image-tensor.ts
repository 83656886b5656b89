import * as tf from '@tensorflow/tfjs-core';
import type { RgbImage } from './sample.ts';
import { type Normalization, normalize } from './transforms/normalize.ts';

/** One image as a normalised batch of one, float32 `[1, height, width, 3]`, for prediction. The caller disposes of it. */
export function imageTensor(image: RgbImage, normalization: Normalization = {}): tf.Tensor4D {
  return tf.tensor4d(normalize(image, normalization), [1, image.height, image.width, 3], 'float32');
}
