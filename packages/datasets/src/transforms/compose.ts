import type { Transform } from '../sample.ts';

/**
 * One transform that applies several in order, all with the same source of random numbers.
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
export function compose(transforms: readonly Transform[]): Transform {
  return (sample, rng) => transforms.reduce((current, transform) => transform(current, rng), sample);
}
