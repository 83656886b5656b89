import * as tf from '@tensorflow/tfjs-core';
import { type AxisBins, axisBins } from './axis-bins.ts';
import type { Rois } from './rois.ts';

/** How RoIAlign divides and samples a box. */
export interface BinOptions {
  /** Bins of a box: height and width of the output. */
  size: readonly [height: number, width: number];
  /** Samples a bin along each axis; 0 (default): as many as the bin spans pixels, rounded up. */
  samplingRatio?: number;
  /** Whether pixel i has its centre at i + 0.5 (default). `false` is the older form: at i, and a box spans a pixel at least. */
  aligned?: boolean;
}

/** One map and the regions that are pooled from it. */
export interface PoolingTask {
  /** [batch, height, width, channels]. */
  shape: [batch: number, height: number, width: number, channels: number];
  /** Steps of the map in a pixel of the boxes: one over its stride. */
  scale: number;
  rois: Rois;
  /** Which of the regions: their places in `rois` and in the output. */
  picked: Int32Array;
  bins: BinOptions;
}

/** The bins of region `i`, along the height and along the width. */
export function binsOf(
  { shape, scale, rois, bins }: PoolingTask,
  i: number,
): { rows: AxisBins; columns: AxisBins } {
  const { size, samplingRatio = 0, aligned = true } = bins;
  const [x1, y1, x2, y2] = rois.boxes.subarray(4 * i, 4 * i + 4);
  const axis = (from: number, to: number, a: 0 | 1) =>
    axisBins(from * scale, to * scale, { bins: size[a], length: shape[1 + a]!, samplingRatio, aligned });
  return { rows: axis(y1!, y2!, 0), columns: axis(x1!, x2!, 1) };
}

/** Whether the active backend keeps its numbers in the memory of the process, so that a loop over them costs no transfer. */
export function isInMainMemory(): boolean {
  return ['cpu', 'wasm', 'tensorflow'].includes(tf.getBackend());
}
