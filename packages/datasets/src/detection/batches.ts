import * as tf from '@tensorflow/tfjs-core';
import type { Dataset } from '@tensorflow/tfjs-data';
import { assertCount, batchPlan, type Draw, type PlanOptions } from '../batch-plan.ts';
import { cachedLoads, defaultCacheBytes } from '../cached-split.ts';
import { OptionError } from '../errors.ts';
import { rng } from '../rng.ts';
import { streamOf } from '../stream.ts';
import { type Normalization, normalize } from '../transforms/normalize.ts';
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
  /** Name of each sample. */
  names: string[];
};

/** How {@link detectionBatches} streams a split. */
export interface DetectionBatchOptions extends PlanOptions, Normalization {
  /** What is done to each sample. Default: nothing. */
  transform?: DetectionTransform;
  /** Probability that a sample becomes a {@link mosaicOf} of it and three others, before the transform. Default: 0. */
  mosaic?: number;
  /** `class-balanced` shows images of rare classes more often. Default: `shuffle`, as the plan says. */
  sampling?: 'shuffle' | 'class-balanced';
  /** Share of images from which on a class is frequent, for `class-balanced`. Default: 0.1; LVIS has 0.001. */
  frequentShare?: number;
  /** Whether targets have masks. Default: false. */
  masks?: boolean;
  /** Height and width of a batch are multiples of this. Default: 32. */
  padTo?: number;
  /** Batches that are decoded ahead of their use. Default: 2. */
  prefetch?: number;
  /** Memory for decoded images, so that later epochs need not decode again. Default: 512 MiB; 0 for none. */
  cacheBytes?: number;
}

/**
 * A stream of detection batches as a `tf.data` dataset: images padded to a common size, objects as plain arrays. Like
 * {@link batches} it depends on its options alone, whether it begins at batch 0 or, by `startBatch`, at k. Images without an
 * object are kept.
 *
 * @throws OptionError, EmptyDatasetError. While iterating: what loading a sample throws.
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
  const { prefetch = 2, padTo = 32, mosaic = 0, sampling = 'shuffle', seed = 0 } = options;
  assertCount('prefetch', prefetch, 0);
  assertCount('padTo', padTo, 1);
  if (!(mosaic >= 0 && mosaic <= 1)) {
    throw new OptionError({ what: 'mosaic is no probability', expected: '0 to 1', received: String(mosaic) });
  }
  const order =
    sampling === 'class-balanced' ? classBalancedOrder(split, seed, options.frequentShare ?? 0.1) : undefined;
  const plan = batchPlan(split.length, options, order);
  const load = cachedLoads((index) => split.load(index), options.cacheBytes ?? defaultCacheBytes, {
    pack: (sample) => sample,
    unpack: (sample) => sample,
    bytesOf: ({ image }) => image.data.byteLength,
  });
  const sampleOf = async ({ epoch, index }: Draw): Promise<DetectionSample> => {
    const random = rng(seed, epoch, index);
    const alone = await load(index);
    const sample =
      mosaic > 0 && random.chance(mosaic) ? await mosaicOf(alone, split.length, load, random) : alone;
    return options.transform ? options.transform(sample, random) : sample;
  };
  const loadBatch = async (draws: Draw[]) => padded(await Promise.all(draws.map(sampleOf)), options);
  return streamOf(plan, { ...options, prefetch }, loadBatch, toTensors);
}

/** A batch before it becomes tensors. */
interface PaddedBatch extends Omit<DetectionBatch, 'images'> {
  shape: [number, number, number, 3];
  pixels: Float32Array;
}

function padded(samples: readonly DetectionSample[], options: DetectionBatchOptions): PaddedBatch {
  const { padTo = 32, masks = false } = options;
  const common = (side: 'height' | 'width') =>
    Math.ceil(Math.max(...samples.map(({ image }) => image[side])) / padTo) * padTo;
  const [height, width] = [common('height'), common('width')];
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
    targets: samples.map(({ objects }) => targetsOf(objects, masks ? [height, width] : undefined)),
    sizes: samples.map(({ image }) => ({ height: image.height, width: image.width })),
    names: samples.map(({ name }) => name),
  };
}

function toTensors({ shape, pixels, ...rest }: PaddedBatch): DetectionBatch {
  return { images: tf.tensor4d(pixels, shape, 'float32'), ...rest };
}
