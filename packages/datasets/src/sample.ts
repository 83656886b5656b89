import type { Rng } from './rng.ts';

/** An image in memory: `data` holds R, G, B of each pixel, row by row from the top left, `3 * width * height` bytes. */
export interface RgbImage {
  width: number;
  height: number;
  data: Uint8Array;
}

/** The class index of each pixel, row by row from the top left, `width * height` values. */
export interface LabelMap {
  width: number;
  height: number;
  data: Int32Array;
}

/** An image with its label map; both have the same size. Treat the arrays as read-only: a cache may share them. */
export interface SegmentationSample {
  /** Name of the image within its split, without extension. */
  name: string;
  image: RgbImage;
  mask: LabelMap;
}

/** One part of a data set. Samples are read when asked for, not before. */
export interface SegmentationSplit {
  /** Number of samples. */
  readonly length: number;
  /** Name of each sample, in order. */
  readonly names: readonly string[];
  /** Reads and decodes sample `index` (from 0). */
  load(index: number): Promise<SegmentationSample>;
}

/**
 * A change of image and mask together. It returns a new sample, or the same one where nothing changes, and never
 * writes into the arrays it was given. All its chance comes from `rng`.
 */
export type Transform = (sample: SegmentationSample, rng: Rng) => SegmentationSample;
