import { OptionError } from '../../errors.ts';
import type { Rng } from '../../rng.ts';
import type { RgbImage } from '../../sample.ts';
import { resizeImage } from '../../transforms/resample.ts';
import { assertTarget, targetSize } from '../../transforms/resize.ts';
import type { DetectionSample, DetectionTransform } from '../sample.ts';
import { placeObjects } from './place.ts';
import { placement } from './placement.ts';

/** The sides that {@link resizeShortSide} aims at. */
export interface ShortSideOptions {
  /**
   * The short side in pixels. Of several, one is drawn for each image (multi-scale training); of a range, a whole number from
   * `low` to `high`, both included.
   */
  shortSide: number | readonly number[] | { low: number; high: number };
  /** Most that the long side may have: then the short one stays below its aim. Default: 1333, or the short side if that is more. */
  maxSide?: number | undefined;
  /** Objects whose box becomes narrower or lower than this, in pixels, are left out. Default: 1. */
  minSide?: number | undefined;
}

/**
 * Resizes an image with its objects: the short side becomes `shortSide`, unless the long one would exceed `maxSide`; then that one
 * becomes `maxSide`. Both sides are rounded to the nearest pixel, as mmdetection's `Resize` with `keep_ratio` does (torchvision rounds
 * down), and boxes are scaled by the size that comes out, each axis by its own.
 *
 * @throws OptionError if a side is out of range.
 */
export function resizeShortSide({ shortSide, maxSide, minSide }: ShortSideOptions): DetectionTransform {
  assertSides(shortSide, maxSide);
  return (sample, rng) => {
    const { image } = detectionInput(sample.image, { shortSide: drawSide(shortSide, rng), maxSide });
    return image === sample.image ? sample : withImage(sample, image, minSide);
  };
}

function drawSide(sides: ShortSideOptions['shortSide'], rng: Rng): number {
  if (typeof sides === 'number') return sides;
  if ('low' in sides) return sides.low + rng.integer(sides.high - sides.low + 1);
  return sides.length === 1 ? sides[0]! : sides[rng.integer(sides.length)]!;
}

/** @throws OptionError unless every side that may be drawn can be reached. */
function assertSides(sides: ShortSideOptions['shortSide'], maxSide: number | undefined): void {
  const isRange = typeof sides === 'object' && 'low' in sides;
  const all = isRange ? [sides.low, sides.high] : [sides].flat();
  for (const side of all) inputTarget(side, maxSide);
  if (all.length > 0 && !(isRange && !(all.every(Number.isInteger) && sides.low <= sides.high))) return;
  throw new OptionError({
    what: 'the short sides to draw from are out of range',
    expected: 'some sides, or { low, high }: two whole numbers with low <= high',
    received: JSON.stringify(sides),
  });
}

/** The sample with its image at another size. */
export function withImage(sample: DetectionSample, image: RgbImage, minSide?: number): DetectionSample {
  const scaleX = image.width / sample.image.width;
  const scaleY = image.height / sample.image.height;
  const objects = placeObjects(sample.objects, placement(image, { scaleX, scaleY }), minSide);
  return { ...sample, image, objects };
}

/** What {@link detectionInput} gives. */
export interface DetectionInput {
  /** The resized image; the given one if it has that size. */
  image: RgbImage;
  /** Its long side over that of the given image. */
  scale: number;
}

/**
 * An image as a detector takes it for evaluation and prediction: resized as {@link resizeShortSide} does.
 *
 * @returns The image and its scale, by which `rescaleDetections` of `@e3va/det-heads` goes back.
 * @throws OptionError if a side is out of range.
 *
 * @example
 * ```ts
 * import { detectionInput } from '@e3va/datasets';
 *
 * const photo = { width: 60, height: 40, data: new Uint8Array(7200) };
 * const { image, scale } = detectionInput(photo, { shortSide: 80, maxSide: 100 });
 * console.log(image.width, image.height, scale); // 100 67 1.666…
 * ```
 */
export function detectionInput(
  image: RgbImage,
  { shortSide, maxSide }: { shortSide: number; maxSide?: number | undefined },
): DetectionInput {
  const size = targetSize(image, inputTarget(shortSide, maxSide));
  if (size[0] === image.height && size[1] === image.width) return { image, scale: 1 };
  return { image: resizeImage(image, size), scale: Math.max(...size) / Math.max(image.height, image.width) };
}

/** @throws OptionError if a side is out of range. */
function inputTarget(shortSide: number, longSide = Math.max(1333, shortSide)) {
  const target = { shortSide, longSide };
  assertTarget(target);
  return target;
}
