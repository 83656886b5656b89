import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  expectClose,
  leakOf,
  normal,
  onBackends,
  readJson,
  readTensors,
  toNhwc,
  toTensor,
} from '../../../tests/support/tensors.ts';
import { SegmentationOptionsError } from './errors.ts';
import { argmaxLabels, cropSpans, slideInference, wholeInference } from './inference.ts';

const reference = readTensors(new URL('../test/fixtures/slide.safetensors', import.meta.url));
const boxes = readJson<Record<string, [number, number][]>>(
  new URL('../test/fixtures/slide-boxes.json', import.meta.url),
);
const keys = Object.keys(boxes);

/** "20x27_crop8x8_stride6x6" as numbers. */
function parse(key: string) {
  const [height, width, cropH, cropW, strideH, strideW] = key.match(/\d+/g)!.map(Number) as number[];
  return { height: height!, width: width!, crop: [cropH!, cropW!], stride: [strideH!, strideW!] } as {
    height: number;
    width: number;
    crop: [number, number];
    stride: [number, number];
  };
}

describe('cropSpans', () => {
  it.each(keys)('places the crops of %s', (key) => {
    const { height, width, crop, stride } = parse(key);
    const [rows, columns] = [cropSpans(height, crop[0], stride[0]), cropSpans(width, crop[1], stride[1])];
    expect(rows.flatMap((r) => columns.map((c) => [r.start, c.start]))).toEqual(boxes[key]);
  });
});

onBackends('slideInference', () => {
  it.each(keys)('equals the reference: %s', (key) => {
    const kernel = tf.transpose(toTensor<tf.Rank.R4>(reference.get('weight')!), [2, 3, 1, 0]);
    const bias = toTensor(reference.get('bias')!);
    const predict = (x: tf.Tensor4D) => tf.add<tf.Tensor4D>(tf.conv2d(x, kernel, 1, 'same'), bias);
    const images = toNhwc(reference.get(`${key}.image`)!);
    const { crop, stride } = parse(key);
    expectClose(
      slideInference(images, predict, { crop, stride }),
      toNhwc(reference.get(`${key}.out`)!),
      1e-5,
    );
    expect(leakOf(() => slideInference(images, predict, { crop, stride }).dispose())).toBe(0);
  });

  it('resizes logits of a smaller size to the crop, for a batch', () => {
    const images = normal<tf.Rank.R4>([2, 12, 20, 3], 1);
    const quarter = (x: tf.Tensor4D) => tf.avgPool(x, 4, 4, 'same');
    const logits = slideInference(images, quarter, { crop: [8, 8], stride: [8, 8] });
    expect(logits.shape).toEqual([2, 12, 20, 3]);
    const corner = wholeInference(tf.slice(images, [0, 0, 0, 0], [-1, 8, 8, -1]), quarter);
    const part = [-1, 4, 8, -1]; // rows 4 to 12 are seen twice
    expectClose(tf.slice(logits, [0, 0, 0, 0], part), tf.slice(corner, [0, 0, 0, 0], part), 1e-6);
  });

  it.each([
    [
      [8, 8],
      [9, 8],
    ],
    [
      [8, 0],
      [8, 0],
    ],
    [
      [8, 8],
      [8, 2.5],
    ],
  ] as [[number, number], [number, number]][])(
    'names crops that leave gaps: crop %j, stride %j',
    (crop, stride) => {
      const slide = () => slideInference(normal([1, 20, 20, 3], 1), (x) => x, { crop, stride });
      expect(slide).toThrow(SegmentationOptionsError);
      expect(slide).toThrow(`crop [${crop}], stride [${stride}]`);
    },
  );
});

onBackends('wholeInference', () => {
  it('resizes the logits to the image, and leaves the model’s own tensor alone', () => {
    const images = normal<tf.Rank.R4>([1, 8, 10, 2], 1);
    const kept = normal<tf.Rank.R4>([1, 8, 10, 4], 2);
    wholeInference(images, () => kept).dispose();
    expect(kept.isDisposed).toBe(false);
    const half = (x: tf.Tensor4D) => tf.avgPool(x, 2, 2, 'valid');
    expect(wholeInference(images, half).shape).toEqual([1, 8, 10, 2]);
    expect(leakOf(() => wholeInference(images, half).dispose())).toBe(0);
  });

  it('gives the class of the largest logit', () => {
    const labels = argmaxLabels(tf.tensor4d([1, 5, 2, 7, 0, 0], [1, 1, 2, 3]));
    expect([labels.dtype, labels.shape]).toEqual(['int32', [1, 1, 2]]);
    expectClose(labels, [1, 0], 0);
  });
});
