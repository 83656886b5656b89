import * as tf from '@tensorflow/tfjs-core';
import type { Dataset } from '@tensorflow/tfjs-data';
import { assertCount, batchPlan, type Draw, type PlanOptions } from './batch-plan.ts';
import { cachedSplit, defaultCacheBytes } from './cached-split.ts';
import { BatchShapeError } from './errors.ts';
import { rng } from './rng.ts';
import type { SegmentationSample, SegmentationSplit, Transform } from './sample.ts';
import { streamOf } from './stream.ts';
import { type Normalization, normalize } from './transforms/normalize.ts';

/** One batch. Whoever took it from the stream owns its tensors and disposes of them. */
export type SegmentationBatch = {
  /** Normalised pixels, float32 `[batch, height, width, 3]`. */
  images: tf.Tensor4D;
  /** Class index of each pixel, int32 `[batch, height, width]`. */
  labels: tf.Tensor3D;
  /** Name of each sample. */
  names: string[];
};

/** How {@link batches} streams a split. */
export interface BatchOptions extends PlanOptions, Normalization {
  /** What is done to each sample. Default: nothing, so that images keep their size. */
  transform?: Transform;
  /** Batches that are decoded ahead of their use. Default: 2. */
  prefetch?: number;
  /** Memory for decoded samples, so that later epochs need not decode again. Default: 512 MiB; 0 for none. */
  cacheBytes?: number;
}

/**
 * A stream of batches as a `tf.data` dataset.
 *
 * The stream depends on its options alone: with the same seed, batch k holds the same samples with the same augmentation
 * whether the stream began at 0 or, by `startBatch`, at k. Files are read and decoded ahead of use; tensors are made when
 * a batch is asked for, so a consumer that stops early leaves none behind. An error of a sample reaches the consumer
 * from `next()`, as the named error it is; the stream then ends.
 *
 * For `LayersModel.fitDataset` map it to `{ xs, ys }` (see the example); with `repeat: true` give `batchesPerEpoch`.
 *
 * @throws OptionError, EmptyDatasetError. While iterating: BatchShapeError if samples of a batch differ in size, and
 * what loading a sample throws.
 *
 * @example
 * ```ts
 * import '@tensorflow/tfjs-backend-cpu';
 * import * as tf from '@tensorflow/tfjs-core';
 * import { batches, type SegmentationSplit, trainAugmentation } from '@e3va/datasets';
 *
 * // A split is any object of this form; those of openMaskFolder read files.
 * const split: SegmentationSplit = {
 *   length: 3,
 *   names: ['a', 'b', 'c'],
 *   load: async (i) => ({
 *     name: 'abc'.charAt(i),
 *     image: { width: 8, height: 6, data: new Uint8Array(144).fill(i) },
 *     mask: { width: 8, height: 6, data: new Int32Array(48).fill(i) },
 *   }),
 * };
 * const transform = trainAugmentation({ crop: [4, 4] });
 * const stream = batches(split, { batchSize: 2, shuffle: true, repeat: true, transform });
 * const iterator = await stream.iterator();
 * const { images, labels } = (await iterator.next()).value;
 * console.log(images.shape, labels.shape); // [2, 4, 4, 3] [2, 4, 4]
 * tf.dispose([images, labels]);
 *
 * const forFit = stream.map((batch) => ({ xs: batch.images, ys: batch.labels }));
 * console.log(forFit.size); // Infinity; model.fitDataset(forFit, { batchesPerEpoch: 2, epochs: 1 })
 * ```
 */
export function batches(split: SegmentationSplit, options: BatchOptions = {}): Dataset<SegmentationBatch> {
  const plan = batchPlan(split.length, options);
  const { prefetch = 2 } = options;
  assertCount('prefetch', prefetch, 0);
  const source = cachedSplit(split, options.cacheBytes ?? defaultCacheBytes);
  const load = (draws: Draw[]) => pixelBatch(source, draws, options);
  return streamOf(plan, { ...options, prefetch }, load, toTensors);
}

/** A batch before it becomes tensors. */
interface PixelBatch {
  shape: [number, number, number];
  images: Float32Array;
  labels: Int32Array;
  names: string[];
}

async function pixelBatch(
  split: SegmentationSplit,
  draws: Draw[],
  options: BatchOptions,
): Promise<PixelBatch> {
  const { transform, seed = 0 } = options;
  const samples = await Promise.all(
    draws.map(async ({ epoch, index }) => {
      const sample = await split.load(index);
      return transform ? transform(sample, rng(seed, epoch, index)) : sample;
    }),
  );
  const { width, height } = samples[0]!.image;
  assertSameShape(samples);
  const pixels = width * height;
  const images = new Float32Array(samples.length * pixels * 3);
  const labels = new Int32Array(samples.length * pixels);
  samples.forEach(({ image, mask }, i) => {
    normalize(image, options, images.subarray(i * pixels * 3, (i + 1) * pixels * 3));
    labels.set(mask.data, i * pixels);
  });
  return { shape: [samples.length, height, width], images, labels, names: samples.map(({ name }) => name) };
}

function toTensors({ shape, images, labels, names }: PixelBatch): SegmentationBatch {
  return {
    images: tf.tensor4d(images, [...shape, 3], 'float32'),
    labels: tf.tensor3d(labels, shape, 'int32'),
    names,
  };
}

function assertSameShape(samples: SegmentationSample[]): void {
  const first = samples[0]!;
  const other = samples.find(
    ({ image }) => image.width !== first.image.width || image.height !== first.image.height,
  );
  if (!other) return;
  const size = ({ name, image }: SegmentationSample) => `${name} ${image.width}x${image.height}`;
  throw new BatchShapeError({
    what: 'the images of one batch differ in size',
    received: `${size(first)} and ${size(other)}`,
    fix: 'give a transform that ends at one size, such as trainAugmentation({ crop }), or use batchSize 1',
  });
}
