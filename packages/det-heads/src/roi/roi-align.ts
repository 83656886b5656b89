import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { poolByLoops, unpoolByLoops } from './pool-by-loops.ts';
import { poolByProducts, unpoolByProducts } from './pool-by-products.ts';
import { type BinOptions, isInMainMemory, type PoolingTask } from './pooling.ts';
import type { Rois } from './rois.ts';

/** Options of {@link roiAlign}. */
export interface RoiAlignOptions extends BinOptions {
  /** Steps of the map in a pixel of the boxes, for instance 1/4 for a level of stride 4; 1 by default. */
  spatialScale?: number;
}

/**
 * RoIAlign: every box is divided into bins, each of them the mean of bilinear samples of the map. With a hand-written
 * gradient to the map, on every backend; the boxes are plain numbers and get none. Nothing wide is kept for the backward pass.
 *
 * A box that lies more than a pixel outside gives zeros, so does one that is not finite. Where a backend keeps its tensors
 * in main memory (cpu, wasm, tensorflow) the map is read, synchronously, and the sparse sums run as loops; elsewhere they
 * run as matrix products.
 *
 * Source: He et al., Mask R-CNN, arXiv 1703.06870; equal to `torchvision.ops.roi_align`. The defaults, aligned
 * with adaptive sampling, are mmdetection's; torchvision's own detectors use `aligned: false, samplingRatio: 2`.
 *
 * @param map Shape [batch, height, width, channels].
 * @param rois Boxes in pixels, of which the map has `spatialScale` steps each.
 * @returns Shape [regions, ...size, channels].
 * @throws ShapeError if the map is not of rank 4, an image index is outside the batch, or there are not four numbers a region.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { roiAlign } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const map = tf.ones<tf.Rank.R4>([1, 16, 16, 8]);
 * const rois = { boxes: Float32Array.of(4, 4, 40, 52), images: Int32Array.of(0) };
 * console.log(roiAlign(map, rois, { size: [7, 7], spatialScale: 1 / 4 }).shape); // [1, 7, 7, 8]
 * ```
 */
export function roiAlign(map: tf.Tensor4D, rois: Rois, options: RoiAlignOptions): tf.Tensor4D {
  const { spatialScale = 1, ...bins } = options;
  const everyOne = Int32Array.from(rois.images, (_, i) => i);
  return pool([map], rois, [{ scale: spatialScale, picked: everyOne }], bins);
}

/** Options of {@link pyramidRoiAlign}. */
export interface PyramidRoiAlignOptions extends BinOptions {
  /** Pixels of the image that one step of each map spans. */
  strides: readonly number[];
  /** Index of the map that each region is pooled from. */
  levels: Int32Array;
}

/**
 * {@link roiAlign} from several maps, each region from one of them, as a single operation.
 *
 * @param maps Shapes [batch, hᵢ, wᵢ, channels].
 * @returns Shape [regions, ...size, channels], in the order of the regions.
 * @throws ShapeError as {@link roiAlign}, and if a level or the number of strides does not fit the maps.
 */
export function pyramidRoiAlign(
  maps: readonly tf.Tensor4D[],
  rois: Rois,
  { strides, levels, ...bins }: PyramidRoiAlignOptions,
): tf.Tensor4D {
  const fits =
    levels.length === rois.images.length && levels.every((level) => level >= 0 && level < maps.length);
  if (strides.length !== maps.length || !fits) {
    throw new ShapeError({
      what: 'pyramidRoiAlign: strides or levels do not fit',
      expected: `${maps.length} strides and ${rois.images.length} levels from 0 to ${maps.length - 1}`,
      received: `${strides.length} strides and ${levels.length} levels`,
    });
  }
  const parts = maps.map((_, level) => {
    const picked = [...levels.keys()].filter((i) => levels[i] === level);
    return { scale: 1 / strides[level]!, picked: Int32Array.from(picked) };
  });
  return pool(maps, rois, parts, bins);
}

function pool(
  maps: readonly tf.Tensor4D[],
  rois: Rois,
  parts: { scale: number; picked: Int32Array }[],
  bins: BinOptions,
): tf.Tensor4D {
  check(maps, rois, bins);
  const tasks = maps.map(({ shape }, i): PoolingTask => ({ shape, rois, bins, ...parts[i]! }));
  const op = tf.customGrad((...args) => {
    args.pop(); // nothing to save
    const inputs = args as tf.Tensor4D[];
    return {
      value: isInMainMemory() ? loops(tasks, inputs) : products(tasks, inputs),
      gradFunc: (dy: tf.Tensor) => gradients(tasks, dy as tf.Tensor4D) as unknown as tf.Tensor,
    };
  });
  return op(...maps) as tf.Tensor4D;
}

function loops(tasks: PoolingTask[], maps: tf.Tensor4D[]): tf.Tensor4D {
  const { rois, bins, shape } = tasks[0]!;
  const outShape: [number, number, number, number] = [rois.images.length, ...bins.size, shape[3]];
  const out = new Float32Array(outShape.reduce((a, b) => a * b));
  for (const [i, task] of tasks.entries()) {
    if (task.picked.length > 0) poolByLoops(task, maps[i]!.dataSync<'float32'>(), out);
  }
  return tf.tensor4d(out, outShape);
}

function products(tasks: PoolingTask[], maps: tf.Tensor4D[]): tf.Tensor4D {
  return tf.tidy(() => {
    const results = tasks.map((task, i) => poolByProducts(task, maps[i]!));
    const places = results.flatMap(({ places }) => places);
    const order = new Int32Array(places.length);
    for (const [row, place] of places.entries()) order[place] = row;
    const pooled = tf.concat(
      results.map((r) => r.pooled),
      0,
    );
    return order.length > 0 ? tf.gather(pooled, tf.tensor1d(order, 'int32')) : pooled;
  });
}

function gradients(tasks: PoolingTask[], dy: tf.Tensor4D): tf.Tensor4D[] {
  if (!isInMainMemory()) return tasks.map((task) => unpoolByProducts(task, dy));
  const upstream = dy.dataSync<'float32'>();
  return tasks.map((task) => {
    const gradient = new Float32Array(task.shape.reduce((a, b) => a * b));
    unpoolByLoops(task, upstream, gradient);
    return tf.tensor4d(gradient, task.shape);
  });
}

function check(maps: readonly tf.Tensor4D[], { boxes, images }: Rois, { size }: BinOptions): void {
  const batch = maps[0]?.shape[0] ?? 0;
  const channels = maps[0]?.shape[3];
  const areMaps =
    maps.length > 0 &&
    maps.every(({ rank, shape }) => rank === 4 && shape[0] === batch && shape[3] === channels);
  const areRois = boxes.length === 4 * images.length && images.every((image) => image >= 0 && image < batch);
  if (areMaps && areRois && size.every((n) => Number.isInteger(n) && n > 0)) return;
  throw new ShapeError({
    what: 'roiAlign: maps, regions and size do not fit together',
    expected:
      'maps [batch, height, width, channels], four numbers and an image of the batch for each region, a size of positive integers',
    received: `maps [${maps.map(({ shape }) => shape).join('], [')}], ${boxes.length} numbers, images ${[...new Set(images)].slice(0, 9)}, size [${size}]`,
  });
}
