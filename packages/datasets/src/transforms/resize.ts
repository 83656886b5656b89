import { OptionError } from '../errors.ts';
import type { SegmentationSample, Transform } from '../sample.ts';
import { assertSize, type Size } from './options.ts';
import { resizeImage, resizeMask } from './resample.ts';

/** A target size: exact, or by the sides with the aspect ratio kept. */
export type ResizeTarget =
  /** Exactly this height and width. */
  | { size: Size }
  /** The shorter side becomes `shortSide`, unless the longer one would exceed `longSide`: then that one becomes `longSide`. */
  | { shortSide: number; longSide?: number };

/**
 * Resizes image (bilinear, half-pixel centres, no antialiasing) and mask (nearest centre) to a target size.
 *
 * @throws OptionError if the target is no positive size.
 */
export function resize(target: ResizeTarget): Transform {
  assertTarget(target);
  return (sample) => resizeTo(sample, targetSize(sample.image, target));
}

/** A sample at another size; the same sample if it has that size. */
export function resizeTo(sample: SegmentationSample, size: Size): SegmentationSample {
  const { name, image, mask } = sample;
  if (image.height === size[0] && image.width === size[1]) return sample;
  return { name, image: resizeImage(image, size), mask: resizeMask(mask, size) };
}

/** The size of an image resized to a target. Sides are rounded to whole pixels, never below 1. */
export function targetSize({ width, height }: { width: number; height: number }, target: ResizeTarget): Size {
  if ('size' in target) return target.size;
  const { shortSide, longSide = Number.POSITIVE_INFINITY } = target;
  const scale = Math.min(shortSide / Math.min(width, height), longSide / Math.max(width, height));
  return scaledSize({ width, height }, scale);
}

/** Height and width times a factor, rounded, never below 1. */
export function scaledSize({ width, height }: { width: number; height: number }, scale: number): Size {
  return [Math.max(1, Math.round(height * scale)), Math.max(1, Math.round(width * scale))];
}

/** @throws OptionError if the target is no positive size. */
export function assertTarget(target: ResizeTarget): void {
  if ('size' in target) {
    assertSize(target.size, 'the size to resize to');
    return;
  }
  const { shortSide, longSide = shortSide } = target;
  if (shortSide > 0 && longSide >= shortSide && Number.isFinite(longSide)) return;
  throw new OptionError({
    what: 'the sides to resize to are out of range',
    expected: '0 < shortSide <= longSide',
    received: JSON.stringify(target),
  });
}
