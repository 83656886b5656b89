import type { Rng } from '../rng.ts';

/**
 * One transform that applies several in order, all with the same source of random numbers: those of images with masks, or
 * those of images with objects.
 *
 * @example
 * ```ts
 * import { compose, pad, randomCrop, randomFlip, randomScale, rng } from '@e3va/datasets';
 *
 * const augment = compose([
 *   randomScale({ range: [0.75, 1.5] }),
 *   randomCrop({ size: [2, 2] }),
 *   randomFlip(),
 *   pad({ size: [2, 2] }),
 * ]);
 * const image = { width: 3, height: 2, data: new Uint8Array(18) };
 * const mask = { width: 3, height: 2, data: new Int32Array(6) };
 * const sample = augment({ name: 'a', image, mask }, rng(0, 0, 0));
 * console.log(sample.image.width, sample.mask.height); // 2 2
 * ```
 */
export function compose<S>(transforms: readonly ((sample: S, rng: Rng) => S)[]): (sample: S, rng: Rng) => S {
  return (sample, rng) => transforms.reduce((current, transform) => transform(current, rng), sample);
}
