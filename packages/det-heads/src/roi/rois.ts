import { joined } from '../anchors.ts';

/** Regions of interest over a batch of images, as plain numbers. */
export interface Rois {
  /** `x1 y1 x2 y2` of each, in pixels of the network's input; four numbers a region. */
  boxes: Float32Array;
  /** Index of each region's image within the batch. */
  images: Int32Array;
}

/** The boxes of every image, one image after the other. */
export function roisOf(boxesOfImages: readonly Float32Array[]): Rois {
  const images = boxesOfImages.flatMap(({ length }, i) => new Array<number>(length / 4).fill(i));
  return { boxes: joined(boxesOfImages, Float32Array), images: Int32Array.from(images) };
}
