import type { Rle, UncompressedRle } from '@e3va/metrics';
import type { SplitName } from '../layouts.ts';
import type { Place } from './problems.ts';

/** What a file says of one object, unchecked: numbers may be missing, `NaN` or outside of the image. */
export interface DraftObject {
  /** What the file calls its class: a name, a category id or an index. */
  category: string | number | undefined;
  /** `x1 y1 x2 y2`; in fractions of the image if the draft image says so. */
  box?: readonly number[] | undefined;
  /** Closed polygons, or a mask of the image's size. */
  outline?: readonly (readonly number[])[] | Rle | UncompressedRle | undefined;
  crowd?: boolean;
  difficult?: boolean;
  area?: number | undefined;
  id?: number | undefined;
  /** COCO's `x y width height` as written: its scores are taken from these very numbers. */
  bbox?: readonly number[] | undefined;
  place: Place;
}

/** What a file says of one image. */
export interface DraftImage {
  /** Path of the image below the data folder. */
  file: string;
  imageId?: number | string | undefined;
  /** The size that the annotations name, where they do. */
  size?: { width: number; height: number } | undefined;
  /** Whether a size belongs into such a file. */
  sized: boolean;
  /** Whether coordinates are fractions of width and height. */
  fractions?: boolean;
  objects: DraftObject[];
  /** Where the annotations of this image begin. */
  place: Place;
}

/** A class as the files declare it. */
export interface DraftCategory {
  /** What objects say. */
  key: string | number;
  name: string;
  /** COCO's number of it, else counted from 1. */
  id?: number;
}

/** Everything that the annotations of a data set say. */
export interface Draft {
  splits: Partial<Record<SplitName, DraftImage[]>>;
  /** The declared classes; without them the names that occur are the classes. */
  categories?: DraftCategory[] | undefined;
}
