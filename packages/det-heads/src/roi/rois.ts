/** Regions of interest over a batch of images, as plain numbers. */
export interface Rois {
  /** `x1 y1 x2 y2` of each, in pixels of the network's input; four numbers a region. */
  boxes: Float32Array;
  /** Index of each region's image within the batch. */
  images: Int32Array;
}

/** The boxes of every image, one image after the other. */
export function roisOf(boxesOfImages: readonly Float32Array[]): Rois {
  const boxes = new Float32Array(boxesOfImages.reduce((sum, { length }) => sum + length, 0));
  const images = new Int32Array(boxes.length / 4);
  let at = 0;
  for (const [image, own] of boxesOfImages.entries()) {
    boxes.set(own, at);
    images.fill(image, at / 4, (at + own.length) / 4);
    at += own.length;
  }
  return { boxes, images };
}
