import type * as tf from '@tensorflow/tfjs-core';
import type { DetectionTargets, ImageSize } from './detection.ts';
import { DetectionInputError, DetectionOptionsError } from './errors.ts';

/** What a detector must know of a level that a backbone puts out. */
export interface Level {
  /** Its name, unique in the pyramid. */
  name: string;
  /** Channels of its map. */
  channels: number;
  /** Pixels of the image for each pixel of the map. */
  stride: number;
}

/** @throws {@link DetectionInputError} unless there is a map a level, all of one batch, and a size an image. */
export function checkFeatures(
  features: readonly tf.Tensor4D[],
  levels: readonly { channels: number }[],
  sizes: readonly ImageSize[],
): void {
  const batch = features[0]?.shape[0];
  const fits = features.every(
    (f, i) => f.rank === 4 && f.shape[0] === batch && f.shape[3] === levels[i]?.channels,
  );
  if (!fits || features.length !== levels.length) {
    reject(
      'the features do not fit the detector',
      `${levels.length} maps [batch, h, w, channels] with ${levels.map((l) => l.channels).join(', ')} channels`,
      features.map((f) => `[${f.shape}]`).join(', '),
    );
  }
  if (sizes.length !== batch) reject('there is not one size an image', `${batch} sizes`, `${sizes.length}`);
}

/** {@link checkFeatures} of a pyramid, whose levels are all as wide: a map a stride. */
export function checkPyramid(
  features: readonly tf.Tensor4D[],
  { channels, strides }: { channels: number; strides: readonly number[] },
  sizes: readonly ImageSize[],
): void {
  const levels = strides.map(() => ({ channels }));
  checkFeatures(features, levels, sizes);
}

/** @throws {@link DetectionInputError} if targets are missing, or an image's do not fit each other or the classes. */
export function checkTargets(targets: readonly DetectionTargets[], images: number, classes: number): void {
  if (targets.length !== images) {
    reject('there are not one image’s targets an image', `${images} targets`, `${targets.length}`);
  }
  for (const [i, { boxes, labels, crowd }] of targets.entries()) {
    const of = `targets of image ${i}`;
    const count = labels.length;
    if (boxes.length !== 4 * count || (crowd && crowd.length !== count)) {
      const received = `${boxes.length} numbers, ${count} labels${crowd ? `, ${crowd.length} crowd flags` : ''}`;
      reject(`${of}: boxes and labels are not as many`, 'four numbers and a label a box', received);
    }
    const label = labels.find((label) => !(label >= 0 && label < classes));
    if (label !== undefined) reject(`${of}: a label is no class`, `0 to ${classes - 1}`, `${label}`);
    const odd = boxes.findIndex((v) => !Number.isFinite(v));
    if (odd >= 0) reject(`${of}: box ${odd >> 2} is not finite`, 'finite numbers', `${boxes[odd]}`);
  }
}

/** @throws {@link DetectionOptionsError} unless `value` is an integer of at least `least`. */
export function checkInteger(what: string, value: number, least: number): void {
  checkOption(Number.isInteger(value) && value >= least, what, value, `an integer of at least ${least}`);
}

/** @throws {@link DetectionOptionsError} unless `holds`. */
export function checkOption(holds: boolean, what: string, value: unknown, expected: string): void {
  if (holds) return;
  const received = Array.isArray(value) ? JSON.stringify(value) : `${value}`;
  throw new DetectionOptionsError({ what: `${what} is not valid`, expected, received });
}

/** The options, with defaults where they are left out or undefined. */
export function withDefaults<O extends object, D extends object>(options: O, defaults: D): O & D {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as O & D;
}

function reject(what: string, expected: string, received: string): never {
  throw new DetectionInputError({ what, expected, received });
}
