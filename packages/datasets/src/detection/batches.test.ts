import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { rgbImage } from '../../test/make-data.ts';
import { type DetectionBatch, type DetectionBatchOptions, detectionBatches } from './batches.ts';
import { classBalancedOrder, repeatFactors } from './class-balance.ts';
import type { DetectionObject, DetectionSplit } from './sample.ts';
import { detectionAugmentation } from './transforms/augmentation.ts';

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

async function take(count: number, options: DetectionBatchOptions): Promise<DetectionBatch[]> {
  const iterator = await detectionBatches(split, options).iterator();
  const taken: DetectionBatch[] = [];
  for (let i = 0; i < count; i++) taken.push((await iterator.next()).value);
  return taken;
}

const plain = ({ images, ...rest }: DetectionBatch) => ({
  pixels: images.dataSync(),
  shape: images.shape,
  ...rest,
});

describe('detectionBatches', () => {
  it('pads the images of a batch to a common size, with zeros', async () => {
    const [batch] = await take(1, { batchSize: 3, mean: [0, 0, 0], std: [1, 1, 1] });
    const { images, targets, sizes, names } = batch!;
    expect(images.shape).toEqual([3, 32, 64, 3]);
    expect(sizes).toEqual([40, 41, 42].map((width) => ({ height: 30, width })));
    expect(names).toEqual(['image-0', 'image-1', 'image-2']);
    expect(targets.map(({ crowd }) => [...crowd])).toEqual([[0], [1], [0]]);
    const third = tf.sum(tf.slice(images, [2, 0, 0, 0], [1, 32, 64, 3])).dataSync()[0]!;
    expect(third).toBeCloseTo((30 * 42 * 3 * 2) / 255, 4);
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
      const all = await take(8, { ...options, sampling });
      const later = await take(2, { ...options, sampling, startBatch: 6 });
      expect(later.map(plain)).toEqual(all.slice(6).map(plain));
    }
  });

  it('keeps empty images', async () => {
    const all = await take(10, {});
    expect(all[8]!.targets[0]).toMatchObject({ boxes: new Float32Array(), labels: new Int32Array() });
  });

  it('names options that cannot be', () => {
    expect(() => detectionBatches(split, { mosaic: 2 })).toThrow(/mosaic is no probability/);
    expect(() => detectionBatches(split, { padTo: 0 })).toThrow(/padTo is out of range/);
  });
});

describe('classBalancedOrder', () => {
  it('weighs images by their rarest class', () => {
    const factors = repeatFactors(split, 0.4);
    expect(factors[0]).toBe(1);
    expect(factors[8]).toBe(1); // no class at all
    expect(factors[9]).toBeCloseTo(2, 12); // one image of ten where four are wanted: √4
  });

  it('shows each image as often as its weight asks for, in the mean of many epochs', () => {
    const orderOf = classBalancedOrder(split, 1, 0.4);
    const seen = new Float64Array(10);
    for (let epoch = 0; epoch < 2000; epoch++) for (const i of orderOf(epoch)) seen[i]! += 1 / 2000;
    expect(seen[9]! / seen[0]!).toBeCloseTo(2, 1);
    expect(orderOf(3)).toEqual(classBalancedOrder(split, 1, 0.4)(3));
    expect(orderOf(3)).not.toEqual(orderOf(4));
  });
});
