import { ClassIndexError, DetectionError, GroundTruthError, LengthMismatchError } from '../errors.ts';
import { shown } from '../mask/runs.ts';

/** A true object in an image. */
export interface TrueBox {
  /** `[x1, y1, x2, y2]` in pixels. */
  box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** Index of the class. */
  label: number;
  /** Not counted: neither as missed nor, where it is found, as right or wrong. */
  difficult?: boolean | undefined;
  /** A region of many objects; not counted either. */
  crowd?: boolean | undefined;
}

/** A detected object in an image. */
export interface FoundBox {
  /** `[x1, y1, x2, y2]` in pixels. */
  box: readonly [x1: number, y1: number, x2: number, y2: number];
  /** Index of the class. */
  label: number;
  /** Confidence: higher is surer. */
  score: number;
}

/** Whether an object counts neither for nor against. */
export const isIgnored = ({ difficult, crowd }: TrueBox): boolean => Boolean(difficult || crowd);

/**
 * Intersection over union of two boxes.
 *
 * @param pixel 1 where the second corner is a pixel of the box, 0 where it is its edge.
 */
export function iouOfBoxes({ box: a }: FoundBox, { box: b }: TrueBox, pixel: 0 | 1 = 0): number {
  const shared = intersection(a, b, pixel);
  return shared === 0 ? 0 : shared / (areaOf(a, pixel) + areaOf(b, pixel) - shared);
}

/** The part of a detection's area that lies in a region. */
export function shareInside({ box: a }: FoundBox, { box: b }: TrueBox): number {
  const shared = intersection(a, b, 0);
  return shared === 0 ? 0 : shared / areaOf(a, 0);
}

type Box = TrueBox['box'];

function intersection(a: Box, b: Box, pixel: number): number {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]) + pixel;
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]) + pixel;
  return width > 0 && height > 0 ? width * height : 0;
}

const areaOf = ([x1, y1, x2, y2]: Box, pixel: number) => (x2 - x1 + pixel) * (y2 - y1 + pixel);

/**
 * Refuses true objects and detections that cannot be compared.
 *
 * @throws LengthMismatchError if they are of different numbers of images.
 * @throws GroundTruthError or DetectionError if a box or score is not finite, or a box ends before it begins.
 * @throws ClassIndexError if a label is no class.
 */
export function checkImages(
  truths: readonly (readonly TrueBox[])[],
  found: readonly (readonly FoundBox[])[],
  classes: number,
): void {
  if (truths.length !== found.length) {
    throw new LengthMismatchError({
      what: 'true objects and detections are of different numbers of images',
      expected: `${truths.length} lists of detections, one an image`,
      received: `${found.length}`,
    });
  }
  truths.forEach((list, image) => {
    list.forEach((object, i) => {
      checkObject(object, classes, GroundTruthError, () => `object ${i} of image ${image}`);
    });
  });
  found.forEach((list, image) => {
    list.forEach((object, i) => {
      const name = () => `detection ${i} of image ${image}`;
      checkObject(object, classes, DetectionError, name);
      if (Number.isFinite(object.score)) return;
      throw new DetectionError({
        what: `${name()} has no usable score`,
        expected: 'a finite number',
        received: shown(object.score),
      });
    });
  });
}

function checkObject(
  { box, label }: TrueBox,
  classes: number,
  Kind: typeof GroundTruthError | typeof DetectionError,
  name: () => string,
): void {
  const finite = Array.isArray(box) && box.length === 4 && box.every(Number.isFinite);
  if (!finite || box[2] < box[0] || box[3] < box[1]) {
    throw new Kind({
      what: `${name()} has no usable box`,
      expected: '[x1, y1, x2, y2], finite, x1 ≤ x2, y1 ≤ y2',
      received: shown(box),
    });
  }
  if (Number.isInteger(label) && label >= 0 && label < classes) return;
  throw new ClassIndexError({
    what: `${name()} is of no class`,
    expected: `a label from 0 to ${classes - 1}`,
    received: shown(label),
  });
}
