import type { Rng } from '../rng.ts';
import type { RgbImage, Transform } from '../sample.ts';
import { assertRange, type Size } from './options.ts';
import { assertTarget, type ResizeTarget, resizeTo, scaledSize, targetSize } from './resize.ts';

/** How {@link randomScale} draws the new size. */
export interface RandomScaleOptions {
  /** Lowest and highest factor; each in between is as likely. */
  range: readonly [number, number];
  /** The size that the factor applies to. Default: the size the sample has. */
  base?: ResizeTarget;
}

/**
 * Resizes image and mask by a random factor, the same for both sides (mmsegmentation's `RandomResize` with the ratio kept).
 *
 * @throws OptionError if the range is empty or not positive.
 */
export function randomScale(options: RandomScaleOptions): Transform {
  assertScale(options);
  return (sample, rng) => resizeTo(sample, drawSize(sample.image, options, rng));
}

/** The size that a random scale gives an image. Draws one number. */
export function drawSize(image: RgbImage, { range, base }: RandomScaleOptions, rng: Rng): Size {
  const [height, width] = base ? targetSize(image, base) : [image.height, image.width];
  return scaledSize({ width, height }, rng.uniform(...range));
}

/** @throws OptionError if the options cannot work. */
export function assertScale({ range, base }: RandomScaleOptions): void {
  assertRange(range, 'the range of the random scale');
  if (base) assertTarget(base);
}
