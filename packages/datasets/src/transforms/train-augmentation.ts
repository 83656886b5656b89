import type { Transform } from '../sample.ts';
import { compose } from './compose.ts';
import { randomFlip } from './flip.ts';
import type { Size } from './options.ts';
import { pad } from './pad.ts';
import { type PhotometricOptions, photometricDistortion } from './photometric.ts';
import { randomScaleCrop } from './random-scale-crop.ts';
import type { ResizeTarget } from './resize.ts';

/** Options of {@link trainAugmentation}. */
export interface TrainAugmentationOptions {
  /** Height and width of the crop, and so of the result. */
  crop: Size;
  /** Range of the random scale. Default: [0.5, 2]. */
  scale?: readonly [number, number];
  /** The size that the scale applies to. Default: the size of the image. */
  base?: ResizeTarget;
  /** Share that one class may take of a crop. Default: 0.75. */
  catMaxRatio?: number;
  /** Probability of mirroring. Default: 0.5. */
  flip?: number;
  /** Photometric distortion: its strengths, or false for none. Default: mmsegmentation's strengths. */
  photometric?: PhotometricOptions | false;
  /** The data set's ignore index. Default: 255. */
  ignoreIndex?: number;
}

/**
 * The usual training augmentation of semantic segmentation, in mmsegmentation's order: random scale, random crop with
 * category cap, mirror, photometric distortion, and padding to the size of the crop where the image was smaller.
 *
 * @throws OptionError if an option is out of range.
 */
export function trainAugmentation(options: TrainAugmentationOptions): Transform {
  const { crop, scale = [0.5, 2], base, catMaxRatio, flip = 0.5, photometric = {}, ignoreIndex } = options;
  return compose([
    randomScaleCrop({ scale: { range: scale, base }, crop: { size: crop, catMaxRatio, ignoreIndex } }),
    randomFlip(flip),
    ...(photometric ? [photometricDistortion(photometric)] : []),
    pad({ size: crop, ignoreIndex }),
  ]);
}
