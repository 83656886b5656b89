import type * as tf from '@tensorflow/tfjs-core';

/**
 * The class of each pixel of one image at another size: the largest of the logits resized to it (bilinear, half-pixel
 * centres), worked out row by row. The resized logits, gigabytes for a photo and 150 classes, are never made.
 *
 * @param logits Shape [1, h, w, classes].
 * @param size Height and width of the result.
 * @returns The labels, row by row.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { labelsAt } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * console.log(await labelsAt(tf.tensor4d([1, 0, 0, 3], [1, 1, 2, 2]), [1, 4])); // [0, 0, 1, 1]
 * ```
 */
export async function labelsAt(
  logits: tf.Tensor4D,
  [height, width]: readonly [number, number],
): Promise<Int32Array> {
  const [, rows, columns, classes] = logits.shape;
  const data = await logits.data();
  const [down, across] = [taps(rows, height), taps(columns, width)];
  const row = new Float32Array(columns * classes);
  const labels = new Int32Array(height * width);
  for (let y = 0; y < height; y++) {
    blend(data, row, down[y]!, row.length);
    for (let x = 0; x < width; x++) labels[y * width + x] = largest(row, across[x]!, classes);
  }
  return labels;
}

/** Two neighbours and the share of the second. */
type Tap = readonly [first: number, second: number, share: number];

function taps(from: number, to: number): Tap[] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.min(from - 1, Math.max(0, ((i + 0.5) * from) / to - 0.5));
    const first = Math.floor(at);
    return [first, Math.min(from - 1, first + 1), at - first];
  });
}

function blend(
  data: ArrayLike<number>,
  row: Float32Array,
  [first, second, share]: Tap,
  length: number,
): void {
  const [a, b] = [first * length, second * length];
  for (let i = 0; i < length; i++) row[i] = data[a + i]! + share * (data[b + i]! - data[a + i]!);
}

function largest(row: Float32Array, [first, second, share]: Tap, classes: number): number {
  const [a, b] = [first * classes, second * classes];
  let [best, label] = [Number.NEGATIVE_INFINITY, 0];
  for (let c = 0; c < classes; c++) {
    const value = row[a + c]! + share * (row[b + c]! - row[a + c]!);
    if (value > best) [best, label] = [value, c];
  }
  return label;
}
