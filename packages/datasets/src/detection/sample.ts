import type { Rle } from '@e3va/metrics';
import type { Rng } from '../rng.ts';
import type { RgbImage } from '../sample.ts';

/** A box `[x1, y1, x2, y2]` in pixels of its image: the left, upper, right and lower edge, so width is `x2 - x1`. */
export type Box = [x1: number, y1: number, x2: number, y2: number];

/** The outline of an object: closed polygons `x y x y …` in pixels, whose union it is, or a mask of the image's size. */
export type Segmentation = number[][] | Rle;

/** One object in an image. */
export interface DetectionObject {
  box: Box;
  /** Index of its class, from 0. */
  label: number;
  /** Whether the box stands for a group of objects: neither wanted nor punished, in training and in COCO's scores. */
  crowd: boolean;
  /** Whether it is marked as hard to see, as in VOC, whose scores then ignore it. */
  difficult: boolean;
  /** Pixels of the object itself, where the file says so: COCO's scores sort small from large by it. */
  area?: number;
  segmentation?: Segmentation;
  /** Number of the annotation in the file, where it has one. */
  id?: number;
}

/** An image with its objects, of which there may be none. Treat it as read-only: a cache may share it. */
export interface DetectionSample {
  /** Name of the image within its split. */
  name: string;
  image: RgbImage;
  objects: DetectionObject[];
}

/** What is known of a sample without decoding its image. */
export interface DetectionInfo {
  /** Name of the image within its split. */
  name: string;
  /** Path of the image. */
  file: string;
  /** Pixels, with EXIF orientation applied as {@link readImage} does. */
  width: number;
  height: number;
  /** Number or name of the image in the annotations; `image_id` of COCO. */
  imageId: number | string;
  objects: readonly DetectionObject[];
}

/** One part of a detection data set. Images are read when asked for, not before. */
export interface DetectionSplit {
  /** Number of samples. */
  readonly length: number;
  /** Name of each sample, in order. */
  readonly names: readonly string[];
  /** Size and objects of sample `index` (from 0), without decoding. */
  info(index: number): DetectionInfo;
  /** Reads and decodes sample `index` (from 0). */
  load(index: number): Promise<DetectionSample>;
}

/**
 * A change of image, boxes and outlines together. It returns a new sample, or the same one where nothing changes, and
 * never writes into what it was given. All its chance comes from `rng`.
 */
export type DetectionTransform = (sample: DetectionSample, rng: Rng) => DetectionSample;
