import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { greyPng, labelMap, plainPng, rejection, temporaryFolder, writeFiles } from '../test/make-data.ts';
import { batchesPerEpoch } from './batch-plan.ts';
import { type BatchOptions, batches, type SegmentationBatch } from './batches.ts';
import {
  BatchShapeError,
  ClassRangeError,
  EmptyDatasetError,
  ImageDecodeError,
  OptionError,
} from './errors.ts';
import { openMaskFolder } from './mask-folder.ts';
import { prefetched } from './prefetch.ts';
import type { SegmentationSplit } from './sample.ts';
import { compose } from './transforms/compose.ts';
import { randomFlip } from './transforms/flip.ts';
import { randomCrop } from './transforms/random-crop.ts';
import { randomScale } from './transforms/random-scale.ts';

/** Samples `s0`, `s1` … of 6x8 pixels: red is 10 * index, green the column, the label the column modulo 3. */
function memorySplit(length: number): SegmentationSplit & { loads: number[] } {
  const loads: number[] = [];
  return {
    loads,
    length,
    names: Array.from({ length }, (_, i) => `s${i}`),
    async load(i) {
      loads.push(i);
      const mask = labelMap(6, 8, (_, x) => x % 3);
      const data = Uint8Array.from({ length: 144 }, (_, at) => [10 * i, Math.floor(at / 3) % 8, 0][at % 3]!);
      return { name: `s${i}`, image: { width: 8, height: 6, data }, mask };
    },
  };
}

const plain = { mean: [0, 0, 0], std: [1, 1, 1] } as const;
const augment = compose([randomScale({ range: [1, 2] }), randomCrop({ size: [4, 4] }), randomFlip()]);

/** What a batch holds, as plain numbers; its tensors are disposed of. */
function taken({ images, labels, names }: SegmentationBatch) {
  const result = {
    names,
    shape: images.shape,
    pixels: [...images.dataSync()],
    labels: [...labels.dataSync()],
  };
  tf.dispose([images, labels]);
  return result;
}

async function take(split: SegmentationSplit, options: BatchOptions, count = Number.POSITIVE_INFINITY) {
  const iterator = await batches(split, options).iterator();
  const result: ReturnType<typeof taken>[] = [];
  for (let i = 0; i < count; i++) {
    const { value, done } = await iterator.next();
    if (done) break;
    result.push(taken(value));
  }
  return result;
}

let before = 0;
beforeEach(async () => {
  await tf.setBackend('cpu');
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

describe('batches', () => {
  it('gives normalised pixels, labels and names, and a last batch that is smaller', async () => {
    const stream = batches(memorySplit(5), { batchSize: 2, ...plain });
    expect(stream.size).toBe(3);
    const iterator = await stream.iterator();
    const { value } = await iterator.next();
    expect([value.images.shape, value.images.dtype]).toEqual([[2, 6, 8, 3], 'float32']);
    expect([value.labels.shape, value.labels.dtype]).toEqual([[2, 6, 8], 'int32']);
    const { names, pixels, labels } = taken(value);
    expect(names).toEqual(['s0', 's1']);
    expect(pixels.slice(144 + 9, 144 + 12).map((v) => Math.round(v * 255))).toEqual([10, 3, 0]);
    expect(labels.slice(0, 8)).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
    const rest = await take(memorySplit(5), { batchSize: 2, startBatch: 1 });
    expect(rest.map((b) => b.names)).toEqual([['s2', 's3'], ['s4']]);
    expect(rest[1]!.shape).toEqual([1, 6, 8, 3]);
    const full = await take(memorySplit(5), { batchSize: 2, dropLast: true });
    expect(full.map((b) => b.names)).toEqual([
      ['s0', 's1'],
      ['s2', 's3'],
    ]);
    expect([batchesPerEpoch(5, 2), batchesPerEpoch(5, 2, true)]).toEqual([3, 2]);
  });

  it('normalises by the ImageNet mean and deviation by default', async () => {
    const [first] = await take(memorySplit(1), {});
    expect(first!.pixels[2]).toBeCloseTo(-0.406 / 0.225, 5);
  });

  it('resumes at any batch with the very same samples', async () => {
    const options = { batchSize: 3, shuffle: true, repeat: true, transform: augment, seed: 11 };
    const whole = await take(memorySplit(7), options, 9);
    for (const startBatch of [1, 4, 8]) {
      const resumed = await take(memorySplit(7), { ...options, startBatch }, 9 - startBatch);
      expect(resumed).toEqual(whole.slice(startBatch));
    }
    expect(await take(memorySplit(7), { ...options, prefetch: 0, cacheBytes: 0 }, 9)).toEqual(whole);
    expect(await take(memorySplit(7), { ...options, seed: 12 }, 9)).not.toEqual(whole);
  });

  it('repeats with full batches, each sample once in an epoch, in a new order and form', async () => {
    const stream = await take(
      memorySplit(5),
      { batchSize: 2, shuffle: true, repeat: true, transform: augment },
      10,
    );
    const names = stream.flatMap((b) => b.names);
    const epochs = [0, 1, 2, 3].map((e) => names.slice(5 * e, 5 * e + 5));
    for (const epoch of epochs) expect([...epoch].sort()).toEqual(['s0', 's1', 's2', 's3', 's4']);
    expect(new Set(epochs.map((e) => e.join())).size).toBeGreaterThan(1);
    const forms = stream.flatMap((b) =>
      b.names.map((name, i) => `${name} ${b.pixels.slice(48 * i, 48 * (i + 1))}`),
    );
    expect(new Set(forms).size).toBeGreaterThan(15);
  });

  it('takes the next epoch with every iteration of a stream that ends', async () => {
    const stream = batches(memorySplit(6), { shuffle: true, seed: 3 });
    const orders: string[] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      const names: string[] = [];
      await stream.forEachAsync((batch) => {
        names.push(...taken(batch).names);
      });
      orders.push(names.join());
    }
    expect(new Set(orders).size).toBe(3);
    const second = await take(memorySplit(6), { shuffle: true, seed: 3, epoch: 1 });
    expect(second.flatMap((b) => b.names).join()).toBe(orders[1]);
  });

  it('reads ahead, but no further than it may, and nothing before it is asked', async () => {
    const split = memorySplit(100);
    const iterator = await batches(split, { batchSize: 2, prefetch: 3 }).iterator();
    expect(split.loads.length).toBe(0);
    taken((await iterator.next()).value);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(split.loads.length).toBe(8);
    taken((await iterator.next()).value);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(split.loads.length).toBe(10);
    // Nobody asks on: the stream holds no tensor (checked after each test).
  });

  it('keeps decoded samples as far as the memory reaches', async () => {
    const options = { batchSize: 1, repeat: true, prefetch: 0 };
    const loadsOf = async (cacheBytes: number | undefined, epochs = 3) => {
      const split = memorySplit(4);
      const result = await take(split, { ...options, cacheBytes }, 4 * epochs);
      expect(result[8]).toEqual(result[4]);
      return split.loads.length;
    };
    expect(await loadsOf(undefined)).toBe(4);
    expect(await loadsOf(0)).toBe(12);
    const sample = 6 * 8 * 4; // three bytes of colour and one of label
    expect(await loadsOf(2 * sample)).toBe(4 + 2 * 2);
    expect(await loadsOf(2 * sample - 1)).toBe(4 + 2 * 3);
  });

  it('feeds LayersModel.fitDataset and leaves no tensor behind', async () => {
    const model = sequential({
      layers: [layers.conv2d({ inputShape: [6, 8, 3], filters: 3, kernelSize: 1 })],
    });
    const crossEntropy = (labels: tf.Tensor, logits: tf.Tensor) =>
      tf.tidy(() =>
        tf.neg(tf.mean(tf.sum(tf.mul(tf.oneHot(tf.cast(labels, 'int32'), 3), tf.logSoftmax(logits)), -1))),
      );
    model.compile({ optimizer: tf.train.adam(0.1), loss: crossEntropy });
    const stream = batches(memorySplit(6), { batchSize: 2, shuffle: true });
    const data = stream.map(({ images, labels }) => ({ xs: images, ys: labels }));
    const held = tf.memory().numTensors;
    const { history } = await model.fitDataset(data as never, { epochs: 4, verbose: 0 });
    const losses = history.loss as number[];
    expect(losses.length).toBe(4);
    expect(losses[3]!).toBeLessThan(losses[0]!);
    const afterFour = tf.memory().numTensors;
    await model.fitDataset(data as never, { epochs: 2, verbose: 0 });
    expect(tf.memory().numTensors).toBe(afterFour);
    expect(afterFour - held).toBeLessThanOrEqual(2 * 2 + 4); // Adam's moments and accumulators of two weights
    model.dispose();
    model.optimizer.dispose();
    tf.disposeVariables();
  });
});

describe('batches passes errors on', () => {
  it('as they are, to the consumer, and then ends', async () => {
    const folder = await temporaryFolder();
    for (const name of ['a', 'b', 'c']) {
      await writeFiles(folder, {
        [`images/${name}.png`]: plainPng(),
        [`masks/${name}.png`]: greyPng(labelMap(4, 6, () => (name === 'b' ? 9 : 1))),
      });
    }
    const set = await openMaskFolder(folder, { classes: ['x', 'y'], valFraction: 0.34 });
    const bad = (['train', 'val'] as const).find((s) => set.split(s).names.includes('b'))!;
    const iterator = await batches(set.split(bad), { batchSize: 1, cacheBytes: 0 }).iterator();
    const error = await rejection(
      (async () => {
        for (let i = 0; i < 3; i++) taken((await iterator.next()).value);
      })(),
    );
    expect(error).toBeInstanceOf(ClassRangeError);
    expect(error.message).toMatch(/b\.png holds the value 9, which is no class\n/);
    expect((await iterator.next()).done).toBe(true);
  });

  it('and stays silent about those nobody asked for', async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', note);
    const split: SegmentationSplit = {
      ...memorySplit(9),
      load: (i) => (i === 0 ? memorySplit(1).load(0) : Promise.reject(new ImageDecodeError({ what: 'bad' }))),
    };
    const iterator = await batches(split).iterator();
    taken((await iterator.next()).value);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
  });

  it('of samples that differ in size', async () => {
    const split = memorySplit(2);
    const sizes: SegmentationSplit = {
      ...split,
      async load(i) {
        const sample = await split.load(i);
        return i === 0 ? sample : { ...sample, image: { ...sample.image, width: 6, height: 8 } };
      },
    };
    const error = await rejection(take(sizes, { batchSize: 2 }));
    expect(error).toBeInstanceOf(BatchShapeError);
    expect(error.message).toBe(
      'the images of one batch differ in size\n  received: s0 8x6 and s1 6x8\n  to do: give a transform that ends at ' +
        'one size, such as trainAugmentation({ crop }), or use batchSize 1',
    );
    expect((await take(sizes, {})).map((b) => b.shape)).toEqual([
      [1, 6, 8, 3],
      [1, 8, 6, 3],
    ]);
  });

  it('of options that cannot work', () => {
    for (const options of [{ batchSize: 0 }, { batchSize: 1.5 }, { startBatch: -1 }, { prefetch: -1 }]) {
      expect(() => batches(memorySplit(2), options)).toThrow(OptionError);
    }
    expect(() => batches(memorySplit(0))).toThrow(EmptyDatasetError);
    expect(() => batches(memorySplit(3), { batchSize: 4, dropLast: true })).toThrow(EmptyDatasetError);
  });
});

it('prefetched stops producing when it is closed', async () => {
  const made: number[] = [];
  const iterator = prefetched(Number.POSITIVE_INFINITY, 2, async (i) => made.push(i));
  await iterator.next();
  await iterator.return!();
  expect((await iterator.next()).done).toBe(true);
  expect(made).toEqual([0, 1, 2]);
});
