import { compose } from '../../transforms/compose.ts';
import { type PhotometricOptions, photometricDistortion } from '../../transforms/photometric.ts';
import type { DetectionTransform } from '../sample.ts';
import { flipObjects } from './flip.ts';
import { type MinIouCropOptions, minIouCrop } from './min-iou-crop.ts';
import { type RandomObjectCropOptions, randomObjectCrop } from './random-object-crop.ts';
import { resizeShortSide, type ShortSideOptions } from './resize.ts';

/** Options of {@link detectionAugmentation}. */
export interface DetectionAugmentationOptions extends ShortSideOptions {
  /** Probability of mirroring. Default: 0.5. */
  flip?: number;
  /** Photometric distortion: its strengths, true for the usual ones. Default: false. */
  photometric?: PhotometricOptions | boolean;
  /** Whether windows are cut out as SSD does, before the resize, or how. Default: false. */
  minIouCrop?: MinIouCropOptions | boolean;
  /** A window to cut out at random, after the resize. Default: none. */
  crop?: RandomObjectCropOptions;
}

/**
 * The usual training augmentation of detection: photometric distortion, crop with a least overlap, resize by the short side,
 * random crop, mirror; the crops and the distortion if asked for.
 *
 * @throws OptionError if an option is out of range.
 *
 * @example
 * ```ts
 * import { type DetectionSample, detectionAugmentation, rng } from '@e3va/datasets';
 *
 * const sample: DetectionSample = {
 *   name: 'a',
 *   image: { width: 40, height: 20, data: new Uint8Array(2400) },
 *   objects: [{ box: [10, 5, 20, 15], label: 0, crowd: false, difficult: false }],
 * };
 * const augment = detectionAugmentation({ shortSide: [30, 40], flip: 1 });
 * const { image, objects } = augment(sample, rng(0, 0, 0));
 * console.log(image.height, objects[0]!.box); // 30 [30, 7.5, 45, 22.5], or 40 [40, 10, 60, 30]
 * ```
 */
export function detectionAugmentation({
  flip = 0.5,
  photometric = false,
  minIouCrop: iouCrop = false,
  crop,
  ...sides
}: DetectionAugmentationOptions): DetectionTransform {
  const { minSide } = sides;
  return compose<Parameters<DetectionTransform>[0]>([
    ...(photometric ? [photometricDistortion(photometric === true ? {} : photometric)] : []),
    ...(iouCrop ? [minIouCrop({ minSide, ...(iouCrop === true ? {} : iouCrop) })] : []),
    resizeShortSide(sides),
    ...(crop ? [randomObjectCrop({ minSide, ...crop })] : []),
    flipObjects(flip),
  ]);
}
