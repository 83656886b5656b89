import type { Rle, UncompressedRle } from '../mask/rle.ts';

/** Ground truth in the form of COCO's annotation files; further properties are allowed and not read. */
export interface CocoDataset {
  /** The images that are evaluated, also those without an object. */
  images: CocoImage[];
  /** The true objects. */
  annotations: CocoAnnotation[];
  /** The classes, in the order in which scores by class are given. */
  categories: CocoCategory[];
}

/** An image of {@link CocoDataset}. */
export interface CocoImage {
  id: number | string;
  /** Width in pixels; needed where masks are given as polygons. */
  width?: number;
  /** Height in pixels; needed where masks are given as polygons. */
  height?: number;
}

/** A true object of {@link CocoDataset}. */
export interface CocoAnnotation {
  id: number | string;
  image_id: number | string;
  category_id: number;
  /** `[x, y, width, height]` in pixels. */
  bbox: [x: number, y: number, width: number, height: number];
  /** Area in pixels, of the mask where there is one: what makes an object small, medium or large. */
  area: number;
  /** 1 for a region of many objects: detections in it count neither for nor against. */
  iscrowd?: number | boolean;
  /** Not read: COCO's evaluation ignores crowds alone, and overwrites this mark. */
  ignore?: number | boolean;
  /** The mask: polygons `x y x y …` in pixels, or run lengths. */
  segmentation?: number[][] | Rle | UncompressedRle;
}

/** A class of {@link CocoDataset}. */
export interface CocoCategory {
  id: number;
  name: string;
}

/** A detected object in the form of COCO's result files. */
export interface CocoDetection {
  image_id: number | string;
  category_id: number;
  /** Confidence: higher is surer. */
  score: number;
  /** `[x, y, width, height]` in pixels. */
  bbox?: [x: number, y: number, width: number, height: number];
  /** The mask; needed for `iouType: 'segm'`. */
  segmentation?: Rle | UncompressedRle;
}
