import { distortImage, type PhotometricOptions } from '../../transforms/photometric.ts';
import type { DetectionTransform } from '../sample.ts';
import { flipObjects } from './flip.ts';
import { minIouCrop } from './min-iou-crop.ts';
import { resizeShortSide, type ShortSideOptions } from './resize.ts';

/** Options of {@link detectionAugmentation}. */
export interface DetectionAugmentationOptions extends ShortSideOptions {
  /** Probability of mirroring. Default: 0.5. */
  flip?: number;
  /** Photometric distortion: its strengths, true for the usual ones. Default: false. */
  photometric?: PhotometricOptions | boolean;
  /** Whether windows are cut out as SSD does. Default: false. */
  minIouCrop?: boolean;
}

/** Several transforms in order, all with the same source of random numbers. */
export function composeDetection(transforms: readonly DetectionTransform[]): DetectionTransform {
  return (sample, rng) => transforms.reduce((current, transform) => transform(current, rng), sample);
}

/** {@link photometricDistortion} of an image with objects; the objects stay. */
export function distortPhoto(options: PhotometricOptions = {}): DetectionTransform {
  const distorted = distortImage(options);
  return (sample, rng) => ({ ...sample, image: distorted(sample.image, rng) });
}

/**
 * The usual training augmentation of detection: photometric distortion, crop with a least overlap, resize by the short side,
 * mirror; the first two if asked for.
 *
 * @throws OptionError if an option is out of range.
 *
 * @example
 * ```ts
 * import { detectionAugmentation, rng } from '@e3va/datasets';
 *
 * const augment = detectionAugmentation({ shortSide: [20, 24], flip: 0 });
 * const image = { width: 40, height: 20, data: new Uint8Array(2400) };
 * const objects = [{ box: [10, 5, 20, 15], label: 0, crowd: false, difficult: false } as const];
 * const sample = augment({ name: 'a', image, objects: objects.map((o) => ({ ...o, box: [...o.box] })) }, rng(0, 0, 0));
 * console.log(sample.image.height, sample.objects[0]!.box); // 24 and the box times 1.2, or as it was
 * ```
 */
export function detectionAugmentation({
  flip = 0.5,
  photometric = false,
  minIouCrop: crop = false,
  ...sides
}: DetectionAugmentationOptions): DetectionTransform {
  return composeDetection([
    ...(photometric ? [distortPhoto(photometric === true ? {} : photometric)] : []),
    ...(crop ? [minIouCrop()] : []),
    resizeShortSide(sides),
    flipObjects(flip),
  ]);
}
