import type { Rng } from '../../rng.ts';
import type { RgbImage } from '../../sample.ts';
import { resizeImage } from '../../transforms/resample.ts';
import { assertTarget, targetSize } from '../../transforms/resize.ts';
import type { DetectionSample, DetectionTransform } from '../sample.ts';
import { placement, placeObjects } from './place.ts';

/** The sides that {@link resizeShortSide} aims at. */
export interface ShortSideOptions {
  /** The short side in pixels; of several, one is drawn at random for each image. */
  shortSide: number | readonly number[];
  /** Most that the long side may have: then the short one stays below its aim. Default: 1333. */
  maxSide?: number;
}

/**
 * Resizes an image with its objects: the short side becomes `shortSide`, unless the long one would exceed `maxSide`. Both sides
 * are rounded to the nearest pixel, as mmdetection's `Resize` with `keep_ratio` does; torchvision rounds down.
 *
 * @throws OptionError if a side is out of range.
 */
export function resizeShortSide({ shortSide, maxSide = 1333 }: ShortSideOptions): DetectionTransform {
  const sides = [shortSide].flat();
  for (const side of sides) assertTarget({ shortSide: side, longSide: Math.max(side, maxSide) });
  return (sample, rng) => resizeSample(sample, drawSide(sides, rng), maxSide);
}

function drawSide(sides: readonly number[], rng: Rng): number {
  return sides.length === 1 ? sides[0]! : sides[rng.integer(sides.length)]!;
}

function resizeSample(sample: DetectionSample, shortSide: number, maxSide: number): DetectionSample {
  const { image, scale } = detectionInput(sample.image, { shortSide, maxSide });
  if (image === sample.image) return sample;
  const to = placement(image, {
    scaleX: image.width / sample.image.width,
    scaleY: image.height / sample.image.height,
  });
  return scale === 1 ? sample : { ...sample, image, objects: placeObjects(sample.objects, to) };
}

/** What {@link detectionInput} gives. */
export interface DetectionInput {
  /** The resized image. */
  image: RgbImage;
  /** Its size over that of the given image. */
  scale: number;
}

/**
 * An image as a detector takes it for evaluation and prediction: resized as {@link resizeShortSide} does.
 *
 * @returns The image and its scale, by which `rescaleDetections` of `@e3va/det-heads` goes back.
 * @throws OptionError if a side is out of range.
 */
export function detectionInput(
  image: RgbImage,
  { shortSide, maxSide = 1333 }: { shortSide: number; maxSide?: number },
): DetectionInput {
  const target = { shortSide, longSide: Math.max(shortSide, maxSide) };
  assertTarget(target);
  const size = targetSize(image, target);
  if (size[0] === image.height && size[1] === image.width) return { image, scale: 1 };
  return { image: resizeImage(image, size), scale: Math.max(...size) / Math.max(image.height, image.width) };
}
