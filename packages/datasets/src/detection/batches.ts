import * as tf from '@tensorflow/tfjs-core';
import type { Dataset } from '@tensorflow/tfjs-data';
import {
  assertCount,
  batchPlan,
  type Draw,
  type EpochOrder,
  type PlanOptions,
  plainOrder,
} from '../batch-plan.ts';
import { cachedLoads, defaultCacheBytes } from '../cached-split.ts';
import { BatchShapeError, OptionError } from '../errors.ts';
import { rng } from '../rng.ts';
import { streamOf } from '../stream.ts';
import { type Normalization, normalize } from '../transforms/normalize.ts';
import { assertSize, type Size } from '../transforms/options.ts';
import { groupedByAspect } from './aspect-groups.ts';
import { classBalancedOrder } from './class-balance.ts';
import type { DetectionSample, DetectionSplit, DetectionTransform } from './sample.ts';
import { type DetectionTargets, targetsOf } from './targets.ts';
import { mosaicOf } from './transforms/mosaic.ts';

/** One batch. Whoever took it from the stream owns its tensor and disposes of it. */
export type DetectionBatch = {
  /** Normalised pixels, float32 `[batch, height, width, 3]`; zeros to the right and below where an image is smaller. */
  images: tf.Tensor4D;
  /** What is to be found in each image. */
  targets: DetectionTargets[];
  /** Size of each image inside its padding. */
  sizes: { height: number; width: number }[];
  /** Long side of each image over that of its file: what a transform that only resizes did. Of a crop or a mosaic it says nothing. */
  scales: number[];
  /** Name of each sample. */
  names: string[];
};

/** How {@link detectionBatches} streams a split. */
export interface DetectionBatchOptions extends PlanOptions, Normalization {
  /** What is done to each sample. Default: nothing. */
  transform?: DetectionTransform;
  /** Probability that a sample becomes a {@link mosaicOf} of it and three others, before the transform. Default: 0. */
  mosaic?: number;
  /**
   * `class-balanced` shows images of rare classes more often, in an order drawn anew for each epoch. Default: `shuffle`, each image
   * once, shuffled if `shuffle` says so.
   */
  sampling?: 'shuffle' | 'class-balanced';
  /** Share of images from which on a class is frequent, for `class-balanced`. Default: 0.1; LVIS, of many images, has 0.001. */
  frequentShare?: number;
  /** Whether batches hold only wide or only high images, as far as the numbers allow: less padding. Default: false. */
  groupByAspect?: boolean;
  /** Whether targets have masks. Default: false. */
  masks?: boolean;
  /** Height and width of a batch are multiples of this. Default: 32. */
  padTo?: number;
  /** Height and width of every batch. Default: what the images of the batch need. */
  padSize?: Size;
  /** Batches that are decoded ahead of their use. Default: 2. */
  prefetch?: number;
  /** Memory for decoded images, so that later epochs need not decode again. Default: 512 MiB; 0 for none. */
  cacheBytes?: number;
}

/**
 * A stream of detection batches as a `tf.data` dataset: images padded to a common size, objects as plain arrays. Like
 * {@link batches} it depends on its options alone, whether it begins at batch 0 or, by `startBatch`, at k. Images without an
 * object are kept. Crowds and difficult objects are marked in `crowd`.
 *
 * @throws OptionError, EmptyDatasetError. While iterating: BatchShapeError for an image larger than `padSize`, and what loading a
 * sample throws.
 *
 * @example
 * ```ts
 * import '@tensorflow/tfjs-backend-cpu';
 * import { detectionAugmentation, detectionBatches, type DetectionSplit } from '@e3va/datasets';
 *
 * // A split is any object of this form; those of openDetectionFolder read files.
 * const objects = [{ box: [4, 4, 20, 16], label: 0, crowd: false, difficult: false }] as never;
 * const info = { name: 'a', file: 'a.jpg', width: 40, height: 20, imageId: 1, objects };
 * const split: DetectionSplit = {
 *   length: 1,
 *   names: ['a'],
 *   info: () => info,
 *   load: async () => ({ name: 'a', image: { width: 40, height: 20, data: new Uint8Array(2400) }, objects }),
 * };
 * const stream = detectionBatches(split, { transform: detectionAugmentation({ shortSide: 40 }) });
 * const { images, targets, sizes } = (await (await stream.iterator()).next()).value;
 * console.log(images.shape, sizes[0], targets[0].labels); // [1, 64, 96, 3] { height: 40, width: 80 } [0]
 * images.dispose();
 * ```
 */
export function detectionBatches(
  split: DetectionSplit,
  options: DetectionBatchOptions = {},
): Dataset<DetectionBatch> {
  const { prefetch = 2, padTo = 32, padSize, mosaic = 0 } = options;
  assertCount('prefetch', prefetch, 0);
  assertCount('padTo', padTo, 1);
  if (padSize) assertSize(padSize, 'the size to pad batches to');
  assertShare('mosaic', mosaic);
  const plan = batchPlan(split.length, options, orderOf(split, options));
  const load = cachedLoads((index) => split.load(index), options.cacheBytes ?? defaultCacheBytes, {
    pack: (sample) => sample,
    unpack: (sample) => sample,
    bytesOf: ({ image }) => image.data.byteLength,
  });
  const loadBatch = async (draws: Draw[]) => {
    const samples = await Promise.all(draws.map((draw) => drawnSample(draw, split.length, load, options)));
    const scales = samples.map(({ image }, i) => scaleOf(image, split.info(draws[i]!.index)));
    return { ...padded(samples, options), scales };
  };
  return streamOf(plan, { ...options, prefetch }, loadBatch, toTensors);
}

function orderOf(split: DetectionSplit, options: DetectionBatchOptions): EpochOrder {
  const {
    sampling = 'shuffle',
    frequentShare = 0.1,
    groupByAspect = false,
    batchSize = 1,
    seed = 0,
  } = options;
  assertShare('frequentShare', frequentShare);
  const order =
    sampling === 'class-balanced'
      ? classBalancedOrder(split, seed, frequentShare)
      : plainOrder(split.length, options);
  if (!groupByAspect) return order;
  return groupedByAspect(order, batchSize, (draw) => {
    const { width, height } = split.info(draw % split.length);
    return width >= height;
  });
}

/** A sample with its augmentation. */
async function drawnSample(
  { epoch, index, draw }: Draw,
  count: number,
  load: (index: number) => Promise<DetectionSample>,
  { seed = 0, mosaic = 0, transform }: DetectionBatchOptions,
): Promise<DetectionSample> {
  const random = rng(seed, epoch, draw);
  const alone = await load(index);
  const sample = mosaic > 0 && random.chance(mosaic) ? await mosaicOf(alone, count, load, random) : alone;
  return transform ? transform(sample, random) : sample;
}

interface Extent {
  width: number;
  height: number;
}

const scaleOf = (image: Extent, whole: Extent) =>
  Math.max(image.width, image.height) / Math.max(whole.width, whole.height);

/** A batch before it becomes tensors. */
interface PaddedBatch extends Omit<DetectionBatch, 'images'> {
  shape: [number, number, number, number];
  pixels: Float32Array;
}

function padded(
  samples: readonly DetectionSample[],
  options: DetectionBatchOptions,
): Omit<PaddedBatch, 'scales'> {
  const [height, width] = commonSize(samples, options);
  const pixels = new Float32Array(samples.length * height * width * 3);
  samples.forEach(({ image }, i) => {
    const values = normalize(image, options);
    const row = image.width * 3;
    for (let y = 0; y < image.height; y++) {
      pixels.set(values.subarray(y * row, (y + 1) * row), (i * height + y) * width * 3);
    }
  });
  return {
    shape: [samples.length, height, width, 3],
    pixels,
    targets: samples.map(({ objects }) => targetsOf(objects, options.masks ? [height, width] : undefined)),
    sizes: samples.map(({ image }) => ({ height: image.height, width: image.width })),
    names: samples.map(({ name }) => name),
  };
}

/** @throws BatchShapeError if an image is larger than `padSize`. */
function commonSize(samples: readonly DetectionSample[], options: DetectionBatchOptions): Size {
  const { padTo = 32, padSize } = options;
  const largest = (side: 'height' | 'width') => Math.max(...samples.map(({ image }) => image[side]));
  if (!padSize)
    return [Math.ceil(largest('height') / padTo) * padTo, Math.ceil(largest('width') / padTo) * padTo];
  const other = samples.find(({ image }) => image.height > padSize[0] || image.width > padSize[1]);
  if (!other) return padSize;
  throw new BatchShapeError({
    what: `the image ${other.name} is larger than padSize`,
    expected: `at most ${padSize[1]}x${padSize[0]}`,
    received: `${other.image.width}x${other.image.height}`,
    fix: 'give a transform with a smaller maxSide, or a larger padSize',
  });
}

function toTensors({ shape, pixels, ...rest }: PaddedBatch): DetectionBatch {
  return { images: tf.tensor4d(pixels, shape, 'float32'), ...rest };
}

/** @throws OptionError unless the option is from 0 to 1. */
function assertShare(option: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new OptionError({ what: `${option} is out of range`, expected: '0 to 1', received: String(value) });
}
