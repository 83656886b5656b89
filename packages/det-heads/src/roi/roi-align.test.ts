import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectClose,
  leakOf,
  normal,
  onBackends,
  readTensors,
  toNhwc,
  toTensor,
} from '../../../../tests/support/tensors.ts';
import { poolByLoops, unpoolByLoops } from './pool-by-loops.ts';
import { poolByProducts, unpoolByProducts } from './pool-by-products.ts';
import type { BinOptions, PoolingTask } from './pooling.ts';
import { pyramidRoiAlign, roiAlign } from './roi-align.ts';
import type { Rois } from './rois.ts';

const oracle = readTensors(new URL('../../test/fixtures/roi_align.safetensors', import.meta.url));
const rows = [...oracle.get('rois')!.data];
const rois: Rois = {
  boxes: Float32Array.from(rows.filter((_, i) => i % 5 > 0)),
  images: Int32Array.from(rows.filter((_, i) => i % 5 === 0)),
};
const cases = [true, false].flatMap((aligned) =>
  [2, -1].flatMap((samplingRatio) =>
    (
      [
        ['0.25', [7, 7]],
        ['0.25', [3, 4]],
        ['1.0', [2, 2]],
      ] as [string, [number, number]][]
    ).map(([scale, size]) => ({
      key: `aligned${Number(aligned)}_ratio${samplingRatio}_scale${scale}_out${size.join('x')}`,
      options: { aligned, samplingRatio, spatialScale: Number(scale), size },
    })),
  ),
);

/** Pooling from several levels, and the gradient of each as if it were pooled alone. */
function expectLevels(): void {
  const levels = readTensors(new URL('../../test/fixtures/levels.safetensors', import.meta.url));
  const maps = [0, 1, 2, 3].map((i) => toNhwc(levels.get(`map.${i}`)!));
  const boxes = levels.get('pool_boxes')!.data as Float32Array;
  const regions = { boxes, images: new Int32Array(boxes.length / 4) };
  const options = {
    size: [2, 2] as const,
    samplingRatio: 2,
    aligned: false,
    strides: [4, 8, 16, 32],
    levels: levels.get('pool_levels')!.data as Int32Array,
  };
  expectClose(pyramidRoiAlign(maps, regions, options), toNhwc(levels.get('pooled')!), 1e-5);
  // the gradient goes to every level, each one as if pooled alone
  const joint = tf.grads((...maps) => pyramidRoiAlign(maps as tf.Tensor4D[], regions, options));
  const dy = normal<tf.Rank.R4>([5, 2, 2, 2], 3);
  for (const [i, gradient] of joint(maps, dy).entries()) {
    const own = [...options.levels.keys()].filter((k) => options.levels[k] === i);
    const alone = tf.grad((x) => {
      const few = {
        boxes: Float32Array.from(own.flatMap((k) => [...boxes.subarray(4 * k, 4 * k + 4)])),
        images: new Int32Array(own.length),
      };
      return roiAlign(x as tf.Tensor4D, few, { ...options, spatialScale: 1 / options.strides[i]! });
    });
    expectClose(gradient, alone(maps[i]!, tf.gather(dy, tf.tensor1d(own, 'int32'))), 1e-6);
  }
}

onBackends('roiAlign', () => {
  it.each(cases)('equals the reference, forward and gradient: $key', ({ key, options }) => {
    const features = toNhwc(oracle.get('features')!);
    const upstream = toNhwc(oracle.get(`${key}.upstream`)!);
    const out = roiAlign(features, rois, options);
    expect(out.shape).toEqual(upstream.shape);
    expectClose(out, toNhwc(oracle.get(`${key}.out`)!), 1e-5);
    const gradient = tf.grad((x) => roiAlign(x as tf.Tensor4D, rois, options))(features, upstream);
    expectClose(gradient, toNhwc(oracle.get(`${key}.grad`)!), 1e-5, 1e-5);
  });

  it.each(cases)('is the same by matrix products: $key', ({ key, options: { spatialScale, ...bins } }) => {
    const features = toNhwc(oracle.get('features')!);
    const task = {
      shape: features.shape,
      scale: spatialScale,
      rois,
      picked: Int32Array.from(rois.images.keys()),
      bins,
    };
    const { places, pooled } = poolByProducts(task, features);
    const expected = tf.gather(toNhwc(oracle.get(`${key}.out`)!), tf.tensor1d(places, 'int32'));
    expectClose(pooled, expected, 1e-5);
    const upstream = toNhwc(oracle.get(`${key}.upstream`)!);
    expectClose(unpoolByProducts(task, upstream), toNhwc(oracle.get(`${key}.grad`)!), 1e-5, 1e-5);
  });

  it('pools each region from its own level', expectLevels);

  it('takes no regions, and leaves no tensor behind', () => {
    const map = normal<tf.Rank.R4>([2, 5, 6, 3], 1);
    const none = { boxes: new Float32Array(0), images: new Int32Array(0) };
    const options = { size: [2, 3] as const };
    expect(roiAlign(map, none, options).shape).toEqual([0, 2, 3, 3]);
    const gradient = tf.grad((x) => tf.sum(roiAlign(x as tf.Tensor4D, none, options)))(map);
    expectClose(gradient, tf.zerosLike(map), 0);
    const some = { boxes: Float32Array.of(0, 0, 4, 4, 1, 1, 5, 5), images: Int32Array.of(1, 0) };
    const leak = leakOf(() => {
      tf.dispose(roiAlign(map, some, options));
      tf.dispose(tf.grad((x) => roiAlign(x as tf.Tensor4D, some, options))(map));
    });
    expect(leak).toBe(0);
  });

  it('keeps nothing for the backward pass', () => {
    const map = tf.variable(normal<tf.Rank.R4>([1, 8, 8, 16], 1));
    const some = { boxes: Float32Array.of(0, 0, 8, 8), images: Int32Array.of(0) };
    let held = 0;
    const { value, grads } = tf.variableGrads(() => {
      const before = tf.memory().numTensors;
      const pooled = roiAlign(map as tf.Variable<tf.Rank.R4>, some, { size: [7, 7] });
      held = tf.memory().numTensors - before;
      return tf.sum(pooled) as tf.Scalar;
    });
    expect(held).toBe(1); // the result
    tf.dispose([value, grads, map]);
  });
});

/** One bin after the other, one sample after the other. */
function slowRoiAlign(
  map: number[][][],
  [x1, y1, x2, y2]: number[],
  { size, samplingRatio = 0, aligned = true }: BinOptions,
  scale: number,
) {
  const [height, width, channels] = [map.length, map[0]!.length, map[0]![0]!.length];
  const shift = aligned ? 0.5 : 0;
  const least = aligned ? Number.NEGATIVE_INFINITY : 1;
  const [top, left] = [y1! * scale - shift, x1! * scale - shift];
  const h = Math.max((y2! - y1!) * scale, least) / size[0];
  const w = Math.max((x2! - x1!) * scale, least) / size[1];
  const [ny, nx] = [samplingRatio || Math.ceil(h), samplingRatio || Math.ceil(w)];
  const at = (y: number, x: number, c: number) => {
    if (y < -1 || y > height || x < -1 || x > width) return 0;
    const [cy, cx] = [Math.min(height - 1, Math.max(0, y)), Math.min(width - 1, Math.max(0, x))];
    let sum = 0;
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++)
        sum += Math.max(0, 1 - Math.abs(cy - i)) * Math.max(0, 1 - Math.abs(cx - j)) * map[i]![j]![c]!;
    }
    return sum;
  };
  const out: number[] = [];
  for (let i = 0; i < size[0]; i++) {
    for (let j = 0; j < size[1]; j++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let a = 0; a < ny; a++) {
          for (let b = 0; b < nx; b++)
            sum += at(top + (i + (a + 0.5) / ny) * h, left + (j + (b + 0.5) / nx) * w, c);
        }
        out.push(sum / Math.max(1, ny * nx));
      }
    }
  }
  return out;
}

describe('roiAlign where the numbers lie elsewhere', () => {
  it('pools by matrix products, each region from its own level', async () => {
    // the cpu backend under another name, which is not known to keep its tensors in main memory
    await tf.setBackend('cpu');
    const Backend = (tf.backend() as object).constructor as new () => tf.KernelBackend;
    tf.registerBackend('elsewhere', () => new Backend());
    tf.copyRegisteredKernels('cpu', 'elsewhere');
    await tf.setBackend('elsewhere');
    try {
      expectLevels();
      const none = { boxes: new Float32Array(0), images: new Int32Array(0) };
      const pooled = roiAlign(tf.zeros([2, 5, 6, 3]), none, { size: [2, 3] });
      expect(pooled.shape).toEqual([0, 2, 3, 3]);
    } finally {
      await tf.setBackend('cpu');
      tf.removeBackend('elsewhere');
    }
  });
});

describe('roiAlign', () => {
  it('equals a slow loop over bins and samples, whatever the box', async () => {
    await tf.setBackend('cpu');
    const map = normal<tf.Rank.R3>([5, 7, 2], 4);
    const numbers = map.arraySync();
    // no coordinate that lies on the edge of what counts as outside
    const coordinate = fc.integer({ min: -9, max: 45 }).map((v) => v + 0.137);
    const property = fc.property(
      fc.tuple(coordinate, coordinate, coordinate, coordinate),
      fc.boolean(),
      fc.integer({ min: 0, max: 3 }),
      fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
      (box, aligned, samplingRatio, size) => {
        const options = { aligned, samplingRatio, size };
        const region = { boxes: Float32Array.from(box), images: Int32Array.of(0) };
        const out = roiAlign(tf.expandDims(map) as tf.Tensor4D, region, { ...options, spatialScale: 0.25 });
        expectClose(out, slowRoiAlign(numbers, [...region.boxes], options, 0.25), 1e-5);
      },
    );
    fc.assert(property, { numRuns: 60, seed: 5 });
  });

  it('is the same in chunks of boxes, by loops and by products', async () => {
    await tf.setBackend('cpu');
    const shape: [number, number, number, number] = [2, 90, 80, 4];
    const boxes = Float32Array.from({ length: 4 * 70 }, (_, i) => (i % 4 < 2 ? i % 5 : 60 + (i % 17)));
    const images = Int32Array.from({ length: 70 }, (_, i) => i % 2);
    const picked = Int32Array.from(images.keys());
    const task: PoolingTask = { shape, scale: 1, rois: { boxes, images }, picked, bins: { size: [7, 7] } };
    const map = normal<tf.Rank.R4>(shape, 1);
    const looped = new Float32Array(70 * 49 * 4); // 70 boxes of about 4,900 pixels: over the limit of a chunk
    poolByLoops(task, map.dataSync<'float32'>(), looped);
    const { places, pooled } = poolByProducts(task, map);
    const out = tf.tensor4d(looped, [70, 7, 7, 4]);
    expectClose(pooled, tf.gather(out, tf.tensor1d(places, 'int32')), 1e-5);
    const gradient = new Float32Array(map.size);
    unpoolByLoops(task, looped, gradient);
    expectClose(unpoolByProducts(task, out), gradient, 1e-5, 1e-5);
  });

  it('gives zeros for boxes that are not finite, and takes boxes far larger than the map', async () => {
    await tf.setBackend('cpu');
    const map = tf.ones<tf.Rank.R4>([1, 4, 4, 1]);
    const boxes = Float32Array.of(
      Number.NaN,
      0,
      2,
      2,
      0,
      0,
      Number.POSITIVE_INFINITY,
      2,
      -1e30,
      -1e30,
      1e30,
      1e30,
    );
    const out = roiAlign(map, { boxes, images: new Int32Array(3) }, { size: [1, 1] });
    const values = out.dataSync();
    expect(values.slice(0, 2)).toEqual(new Float32Array(2));
    expect(values[2]).toBeLessThan(1e-20);
  });

  it('names what does not fit', () => {
    const map = tf.zeros<tf.Rank.R4>([1, 4, 4, 1]);
    const region = { boxes: new Float32Array(4), images: Int32Array.of(1) };
    expect(() => roiAlign(map, region, { size: [1, 1] })).toThrow('images 1');
    const own = { boxes: new Float32Array(4), images: Int32Array.of(0) };
    expect(() => roiAlign(map, own, { size: [1, 0] })).toThrow('size [1,0]');
    expect(() =>
      roiAlign(toTensor(oracle.get('rois')!) as unknown as tf.Tensor4D, own, { size: [1, 1] }),
    ).toThrow('[10,5]');
    const levels = { size: [1, 1] as const, strides: [4], levels: Int32Array.of(1) };
    expect(() => pyramidRoiAlign([map], own, levels)).toThrow('levels from 0 to 0');
  });
});
