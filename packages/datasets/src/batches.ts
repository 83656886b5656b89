import * as tf from '@tensorflow/tfjs-core';
import { type Dataset, generator } from '@tensorflow/tfjs-data';
import { cachedSplit, defaultCacheBytes } from './cached-split.ts';
import { BatchShapeError, EmptyDatasetError, OptionError } from './errors.ts';
import { prefetched } from './prefetch.ts';
import { rng, shuffledOrder } from './rng.ts';
import type { SegmentationSample, SegmentationSplit, Transform } from './sample.ts';
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
export interface BatchOptions extends Normalization {
  /** Samples of a batch. Default: 1. */
  batchSize?: number;
  /** What is done to each sample. Default: nothing, so that images keep their size. */
  transform?: Transform;
  /** Whether the order is drawn anew for each epoch. Default: false. */
  shuffle?: boolean;
  /** Whether the stream goes on for ever. Then batches run on over the end of an epoch and all are full. Default: false. */
  repeat?: boolean;
  /** Whether to leave out a last batch that is not full, without `repeat`. Default: false. */
  dropLast?: boolean;
  /** Seed of order and transforms. Default: 0. */
  seed?: number;
  /** The first epoch. Default: 0. Without `repeat`, each further iteration of the stream is the next epoch. */
  epoch?: number;
  /** Batches to skip without reading them, to resume a run. Default: 0. */
  startBatch?: number;
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
 * import { batches, openMaskFolder, trainAugmentation } from '@e3va/datasets';
 *
 * const folder = await openMaskFolder('camvid');
 * const stream = batches(folder.split('train'), {
 *   batchSize: 4,
 *   shuffle: true,
 *   repeat: true,
 *   transform: trainAugmentation({ crop: [256, 320] }),
 * });
 * const iterator = await stream.iterator();
 * const { images, labels } = (await iterator.next()).value;
 * console.log(images.shape, labels.shape); // [4, 256, 320, 3] [4, 256, 320]
 * tf.dispose([images, labels]);
 *
 * const forFit = stream.map((batch) => ({ xs: batch.images, ys: batch.labels })); // model.fitDataset(forFit, …)
 * ```
 */
export function batches(split: SegmentationSplit, options: BatchOptions = {}): Dataset<SegmentationBatch> {
  const plan = planOf(split, options);
  const source = cachedSplit(split, options.cacheBytes ?? defaultCacheBytes);
  let iterations = 0;
  return generator<SegmentationBatch>((async () => {
    const firstEpoch = (options.epoch ?? 0) + (options.repeat ? 0 : iterations++);
    const ahead = prefetched(plan.count, options.prefetch ?? 2, (i) =>
      pixelBatch(source, plan.samplesOf(plan.first + i, firstEpoch), options),
    );
    return {
      async next() {
        const item = await ahead.next();
        return item.done ? item : { value: toTensors(item.value), done: false };
      },
    };
  }) as unknown as () => Promise<Iterator<SegmentationBatch>>); // the iterator may be asynchronous, its type says not
}

/** Number of batches of one pass over `samples` samples. */
export function batchesPerEpoch(samples: number, batchSize: number, dropLast = false): number {
  return dropLast ? Math.floor(samples / batchSize) : Math.ceil(samples / batchSize);
}

/** A sample by epoch and index within the split. */
interface Draw {
  epoch: number;
  index: number;
}

/** Which samples make up which batch. */
interface Plan {
  /** The first batch. */
  first: number;
  /** How many batches follow from there. */
  count: number;
  samplesOf(batch: number, firstEpoch: number): Draw[];
}

function planOf({ length }: SegmentationSplit, options: BatchOptions): Plan {
  const {
    batchSize = 1,
    shuffle = false,
    repeat = false,
    dropLast = false,
    seed = 0,
    startBatch = 0,
  } = options;
  assertCount('batchSize', batchSize, 1);
  assertCount('startBatch', startBatch, 0);
  assertCount('prefetch', options.prefetch ?? 2, 0);
  if (length === 0) throw new EmptyDatasetError({ what: 'the split to stream holds no sample' });
  const total = repeat ? Number.POSITIVE_INFINITY : batchesPerEpoch(length, batchSize, dropLast);
  if (total === 0) {
    throw new EmptyDatasetError({
      what: 'the split is smaller than one batch and dropLast is set, so there is no batch',
      expected: `at least ${batchSize} samples`,
      received: String(length),
      fix: 'lower batchSize, or set repeat',
    });
  }
  const orderOf = lastOrder(length, seed, shuffle);
  return {
    first: startBatch,
    count: Math.max(0, total - startBatch),
    samplesOf(batch, firstEpoch) {
      const from = batch * batchSize;
      const size = repeat ? batchSize : Math.min(batchSize, length - from);
      return Array.from({ length: size }, (_, i) => {
        const epoch = firstEpoch + Math.floor((from + i) / length);
        return { epoch, index: orderOf(epoch)[(from + i) % length]! };
      });
    },
  };
}

/** The order of an epoch; the last one is kept. */
function lastOrder(length: number, seed: number, shuffle: boolean): (epoch: number) => Uint32Array {
  let kept: { epoch: number; order: Uint32Array } | undefined;
  return (epoch) => {
    if (kept?.epoch !== epoch) {
      const order = shuffle ? shuffledOrder(length, seed, epoch) : Uint32Array.from({ length }, (_, i) => i);
      kept = { epoch, order };
    }
    return kept.order;
  };
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

function assertCount(option: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new OptionError({
    what: `${option} is out of range`,
    expected: `an integer of at least ${least}`,
    received: String(value),
  });
}
