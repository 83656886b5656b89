import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rejection, rgbImage } from '../../test/make-data.ts';
import { memorySplit } from '../../test/make-objects.ts';
import { BatchShapeError, EmptyDatasetError } from '../errors.ts';
import { type DetectionBatch, type DetectionBatchOptions, detectionBatches } from './batches.ts';
import type { DetectionObject, DetectionSplit } from './sample.ts';
import { detectionAugmentation } from './transforms/augmentation.ts';
import { randomObjectCrop } from './transforms/random-object-crop.ts';

/** Ten images of growing size; the last shows a class of its own, the one before is empty. */
const split: DetectionSplit = {
  length: 10,
  names: Array.from({ length: 10 }, (_, i) => `image-${i}`),
  info(i) {
    const objects: DetectionObject[] =
      i === 8 ? [] : [{ box: [2, 3, 12, 15], label: i === 9 ? 1 : 0, crowd: i === 1, difficult: false }];
    return { name: `image-${i}`, file: `image-${i}.png`, width: 40 + i, height: 30, imageId: i, objects };
  },
  async load(i) {
    const { name, width, height, objects } = split.info(i);
    return { name, image: rgbImage(height, width, () => [i, i, i]), objects: [...objects] };
  },
};

async function take(
  count: number,
  options: DetectionBatchOptions,
  from: DetectionSplit = split,
): Promise<DetectionBatch[]> {
  const iterator = await detectionBatches(from, options).iterator();
  const taken: DetectionBatch[] = [];
  for (let i = 0; i < count; i++) taken.push((await iterator.next()).value);
  return taken;
}

/** A batch without its tensor, which is disposed of. */
function plain({ images, ...rest }: DetectionBatch) {
  const pixels = images.dataSync();
  images.dispose();
  return { pixels, shape: images.shape, ...rest };
}

let before = 0;
beforeEach(async () => {
  await tf.setBackend('cpu');
  before = tf.memory().numTensors;
});
afterEach(() => {
  expect(tf.memory().numTensors).toBe(before);
});

describe('detectionBatches', () => {
  it('pads the images of a batch to a common size, with zeros', async () => {
    const [batch] = await take(1, { batchSize: 3, mean: [0, 0, 0], std: [1, 1, 1] });
    const { images, targets, sizes, names } = batch!;
    expect(images.shape).toEqual([3, 32, 64, 3]);
    expect(sizes).toEqual([40, 41, 42].map((width) => ({ height: 30, width })));
    expect(names).toEqual(['image-0', 'image-1', 'image-2']);
    expect(targets.map(({ crowd }) => [...crowd])).toEqual([[0], [1], [0]]);
    const pixels = images.dataSync();
    const third = (y: number, x: number, c: number) => pixels[((2 * 32 + y) * 64 + x) * 3 + c]!;
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 64; x++) expect(third(y, x, y % 3)).toBeCloseTo(y < 30 && x < 42 ? 2 / 255 : 0, 6);
    }
    images.dispose();
  });

  it('gives the same batches whether it began before them or at them, augmentation and all', async () => {
    const options = {
      batchSize: 2,
      shuffle: true,
      repeat: true,
      seed: 4,
      masks: true,
      mosaic: 0.5,
      transform: detectionAugmentation({ shortSide: [24, 32], minIouCrop: true, photometric: true }),
    };
    for (const sampling of ['shuffle', 'class-balanced'] as const) {
      for (const groupByAspect of [false, true]) {
        const all = (await take(8, { ...options, sampling, groupByAspect })).map(plain);
        const alone = { ...options, sampling, groupByAspect, startBatch: 6, prefetch: 0, cacheBytes: 0 };
        expect((await take(2, alone)).map(plain)).toEqual(all.slice(6));
        expect((await take(2, { ...alone, seed: 5 })).map(plain)).not.toEqual(all.slice(6));
      }
    }
  });

  it('says how much images were scaled', async () => {
    const [batch] = await take(1, { transform: detectionAugmentation({ shortSide: 60, flip: 0 }) });
    expect(batch!.scales).toEqual([2]);
    expect([...batch!.targets[0]!.boxes]).toEqual([4, 6, 24, 30]);
    batch!.images.dispose();
  });

  it('pads to one size for all batches, if asked to', async () => {
    const padSize = [40, 64] as const;
    const shapes = (await take(3, { batchSize: 4, padSize, masks: true })).map(({ images, targets }) => {
      images.dispose();
      expect(targets[0]!.masks).toMatchObject({ height: 40, width: 64 });
      return images.shape;
    });
    expect(shapes).toEqual([
      [4, 40, 64, 3],
      [4, 40, 64, 3],
      [2, 40, 64, 3],
    ]);
    const error = await rejection(take(1, { batchSize: 4, padSize: [40, 47], startBatch: 2 }));
    expect(error).toBeInstanceOf(BatchShapeError);
    expect(error.message).toBe(
      'the image image-8 is larger than padSize\n  expected: at most 47x40\n  received: 48x30\n  to do: give a transform with a ' +
        'smaller maxSide, or a larger padSize',
    );
  });

  it('gives repeats of an image in an epoch chances of their own', async () => {
    // One rare image among ten, which comes several times.
    const options = { sampling: 'class-balanced', frequentShare: 1, seed: 2 } as const;
    const transform = randomObjectCrop({ size: [20, 20] });
    const boxes: string[] = [];
    for (const { names, targets, images } of await take(10, { ...options, transform })) {
      if (names[0] === 'image-9') boxes.push(String(targets[0]!.boxes));
      images.dispose();
    }
    expect(boxes.length).toBeGreaterThan(1);
    expect(new Set(boxes).size).toBeGreaterThan(1);
  });

  it('puts wide images with wide ones and high with high, each once in an epoch', async () => {
    const samples = Array.from({ length: 23 }, (_, i) => ({
      name: `${i}`,
      image: i % 3 === 0 ? rgbImage(8, 4, () => [0, 0, 0]) : rgbImage(4, 8, () => [0, 0, 0]),
      objects: [],
    }));
    const options = { batchSize: 4, groupByAspect: true, shuffle: true, repeat: true, seed: 5, padTo: 4 };
    const names: string[] = [];
    let mixed = 0;
    for (const batch of await take(23, options, memorySplit(samples))) {
      names.push(...batch.names);
      const high = batch.sizes.filter(({ height }) => height === 8).length;
      if (high !== 0 && high !== 4) mixed++;
      batch.images.dispose();
    }
    for (let epoch = 0; epoch < 4; epoch++) {
      const shown = names.slice(23 * epoch, 23 * (epoch + 1));
      expect([...shown].sort()).toEqual(samples.map(({ name }) => name).sort());
      if (epoch > 0) expect(shown).not.toEqual(names.slice(0, 23));
    }
    expect(mixed).toBeLessThanOrEqual(2 * 4);
    expect(mixed).toBeGreaterThan(0); // 8 high ones in an epoch of 23: the last batches must be mixed
    const later = await take(4, { ...options, startBatch: 9 }, memorySplit(samples));
    expect(later.flatMap((batch) => batch.names)).toEqual(names.slice(36, 52));
    for (const { images } of later) images.dispose();
  });

  it('keeps empty images', async () => {
    const all = (await take(10, {})).map(plain);
    expect(all[8]!.targets[0]).toMatchObject({ boxes: new Float32Array(), labels: new Int32Array() });
  });

  it('names options that cannot be', () => {
    expect(() => detectionBatches(split, { mosaic: 2 })).toThrow(/mosaic is out of range/);
    expect(() => detectionBatches(split, { frequentShare: Number.NaN })).toThrow(
      /frequentShare is out of range/,
    );
    expect(() => detectionBatches(split, { padSize: [0, 4] })).toThrow(/size to pad batches to is no size/);
    expect(() => detectionBatches(memorySplit([]))).toThrow(EmptyDatasetError);
    expect(() => detectionBatches(split, { padTo: 0 })).toThrow(/padTo is out of range/);
  });
});
