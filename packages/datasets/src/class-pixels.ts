import { mapConcurrent } from './concurrent.ts';
import type { SegmentationSplit } from './sample.ts';

/** How often each class occurs in a split. */
export interface ClassPixels {
  /** Pixels of each class. */
  pixels: number[];
  /** Pixels that are ignored. */
  ignored: number;
  /** Number of images in which each class occurs. */
  images: number[];
}

/**
 * Reads a whole split and counts the pixels of each class: a full check of every file, and a basis for class weights.
 *
 * @param classes Number of classes.
 * @throws what loading a sample throws, for the first sample that fails.
 */
export async function classPixels(split: SegmentationSplit, classes: number): Promise<ClassPixels> {
  const result: ClassPixels = { pixels: Array(classes).fill(0), ignored: 0, images: Array(classes).fill(0) };
  const indices = Array.from({ length: split.length }, (_, i) => i);
  await mapConcurrent(indices, 4, async (index) => {
    const { mask } = await split.load(index);
    const counts = new Float64Array(classes);
    for (const label of mask.data) {
      if (label < classes) counts[label]!++;
      else result.ignored++;
    }
    counts.forEach((count, c) => {
      result.pixels[c]! += count;
      if (count > 0) result.images[c]!++;
    });
  });
  return result;
}
