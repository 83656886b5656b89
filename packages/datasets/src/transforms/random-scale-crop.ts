import type { Transform } from '../sample.ts';
import { assertCrop, drawWindow, type RandomCropOptions } from './random-crop.ts';
import { assertScale, drawSize, type RandomScaleOptions } from './random-scale.ts';
import { resizeImage, resizeMask } from './resample.ts';

/** Options of {@link randomScaleCrop}. */
export interface RandomScaleCropOptions {
  scale: RandomScaleOptions;
  crop: RandomCropOptions;
}

/**
 * The same as `compose([randomScale(scale), randomCrop(crop)])`, to the pixel and to the random number, but only the
 * window of the scaled image is computed: several times faster where the crop is a small part of it.
 *
 * @throws OptionError if the options cannot work.
 */
export function randomScaleCrop({ scale, crop }: RandomScaleCropOptions): Transform {
  assertScale(scale);
  assertCrop(crop);
  return ({ name, image, mask }, rng) => {
    const size = drawSize(image, scale, rng);
    const window = drawWindow(size, crop, rng, (w) => resizeMask(mask, size, w));
    return { name, image: resizeImage(image, size, window), mask: resizeMask(mask, size, window) };
  };
}
