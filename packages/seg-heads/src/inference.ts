import { resizeBilinear } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { SegmentationOptionsError } from './errors.ts';

/**
 * A segmenter: images [batch, height, width, C] to logits [batch, h, w, classes], where h × w may be smaller than the
 * image. It is called inside a `tf.tidy`.
 */
export type Predict = (images: tf.Tensor4D) => tf.Tensor4D;

/** The class with the largest logit: [batch, height, width, classes] to int32 [batch, height, width]. */
export function argmaxLabels(logits: tf.Tensor4D): tf.Tensor3D {
  return tf.argMax(logits, 3);
}

/**
 * Logits of whole images, resized to the images (bilinear, half-pixel centres).
 *
 * @param images Shape [batch, height, width, C], as `predict` takes them.
 * @returns Shape [batch, height, width, classes].
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { argmaxLabels, wholeInference } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * const images = tf.randomNormal<tf.Rank.R4>([1, 32, 48, 3]);
 * const logits = wholeInference(images, (x) => tf.avgPool(x, 4, 4, 'valid')); // any model; here a quarter of the size
 * console.log(argmaxLabels(logits).shape); // [1, 32, 48]
 * ```
 */
export function wholeInference(images: tf.Tensor4D, predict: Predict): tf.Tensor4D {
  return tf.tidy(() => {
    const [, height, width] = images.shape;
    const logits = predict(images);
    const same = logits.shape[1] === height && logits.shape[2] === width;
    return same ? tf.clone(logits) : resizeBilinear(logits, [height, width]);
  });
}

/** Options of {@link slideInference}. */
export interface SlideOptions {
  /** Height and width of a crop. */
  crop: [number, number];
  /** Steps between two crops, down and across; at most the crop, or pixels between them would get nothing. */
  stride: [number, number];
}

/**
 * Logits of images that are seen in overlapping crops: each pixel gets the mean over the crops that contain it. The last
 * crop of a row or column is pushed back inside the image; an image smaller than the crop is one crop, not padded.
 *
 * Source: mmsegmentation's `slide_inference`.
 *
 * @param images Shape [batch, height, width, C].
 * @param predict Gets one crop of all images at a time; its logits are resized to the crop.
 * @returns Shape [batch, height, width, classes].
 * @throws {@link SegmentationOptionsError} if a crop or stride is not a positive integer, or a stride exceeds its crop.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { slideInference } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * const images = tf.randomNormal<tf.Rank.R4>([1, 40, 60, 3]);
 * const logits = slideInference(images, (x) => tf.relu(x), { crop: [32, 32], stride: [24, 24] });
 * console.log(logits.shape); // [1, 40, 60, 3]
 * ```
 */
export function slideInference(images: tf.Tensor4D, predict: Predict, options: SlideOptions): tf.Tensor4D {
  checkSlide(options);
  const { crop, stride } = options;
  const [, height, width] = images.shape;
  const [rows, columns] = [cropSpans(height, crop[0], stride[0]), cropSpans(width, crop[1], stride[1])];
  const logitsOf = (row: Span, column: Span) => {
    const begin = [0, row.start, column.start, 0];
    return wholeInference(tf.slice(images, begin, [-1, row.size, column.size, -1]), predict);
  };
  return tf.tidy(() =>
    meanOver(rows, height, 1, (row) => meanOver(columns, width, 2, (column) => logitsOf(row, column))),
  );
}

/** A stretch of pixels along one axis. */
export interface Span {
  start: number;
  size: number;
}

/** Where the crops of one axis lie: every `stride` pixels, the last one pushed back inside. */
export function cropSpans(length: number, crop: number, stride: number): Span[] {
  if (length <= crop) return [{ start: 0, size: length }];
  const count = Math.ceil((length - crop) / stride) + 1;
  return Array.from({ length: count }, (_, i) => ({
    start: Math.min(i * stride, length - crop),
    size: crop,
  }));
}

/** The mean over the spans of what `part` gives for each, laid along `axis` of [batch, height, width, classes]. */
function meanOver(
  spans: Span[],
  length: number,
  axis: 1 | 2,
  part: (span: Span) => tf.Tensor4D,
): tf.Tensor4D {
  let sum: tf.Tensor4D | undefined;
  for (const span of spans) {
    const next = tf.tidy((): tf.Tensor4D => {
      const after = length - span.start - span.size;
      const pads = [0, 1, 2, 3].map((a): [number, number] => (a === axis ? [span.start, after] : [0, 0]));
      const padded = tf.pad<tf.Tensor4D>(part(span), pads);
      return sum ? tf.add(sum, padded) : padded;
    });
    sum?.dispose();
    sum = next;
  }
  const covers = (i: number) => spans.filter(({ start, size }) => start <= i && i < start + size).length;
  const counts = Array.from({ length }, (_, i) => covers(i));
  return tf.div(sum!, tf.tensor(counts, axis === 1 ? [length, 1, 1] : [length, 1]));
}

function checkSlide({ crop, stride }: SlideOptions): void {
  const fits = (c: number, s: number) => Number.isInteger(c) && Number.isInteger(s) && s >= 1 && s <= c;
  if (fits(crop[0], stride[0]) && fits(crop[1], stride[1])) return;
  throw new SegmentationOptionsError({
    what: 'slideInference: the crops would not cover the image',
    expected: 'positive integers, each stride at most its crop',
    received: `crop [${crop}], stride [${stride}]`,
    fix: 'a stride of two thirds of the crop is usual, such as crop [512, 512], stride [341, 341]',
  });
}
