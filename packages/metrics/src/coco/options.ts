import { EvaluationOptionError } from '../errors.ts';
import { shown } from '../mask/runs.ts';

/** What is compared: boxes, or masks. */
export type CocoIouType = 'bbox' | 'segm';

/** What may be changed of COCO's way to evaluate. */
export interface CocoParams {
  /** Least IoU of a match, ascending, above 0 and at most 1. Default: 0.5, 0.55 … 0.95. */
  iouThresholds: readonly number[];
  /** How many detections of a class count in an image, best first; ascending. Default: 1, 10, 100. */
  maxDetections: readonly [number, number, number];
  /** Whether a detection must be of the object's class. If not, all classes are taken as one. Default: true. */
  useCategories: boolean;
}

/** Ranges of area in square pixels that objects are divided into, both ends included, by name. */
export const cocoAreas = {
  all: [0, 1e10],
  small: [0, 32 ** 2],
  medium: [32 ** 2, 96 ** 2],
  large: [96 ** 2, 1e10],
} as const;

/** `count` numbers from `start` to `end`, rounded as `numpy.linspace` rounds them: thresholds are compared exactly. */
function evenly(start: number, end: number, count: number): number[] {
  const step = (end - start) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? end : i * step + start));
}

/** The recalls at which precision is read: 0, 0.01 … 1. */
export const recallThresholds: readonly number[] = evenly(0, 1, 101);

/**
 * COCO's parameters with those that are given in their place.
 *
 * @throws EvaluationOptionError if a list is empty or out of order, or a value out of range.
 */
export function cocoParams(given: Partial<CocoParams> = {}): CocoParams {
  const params: CocoParams = {
    iouThresholds: given.iouThresholds ?? evenly(0.5, 0.95, 10),
    maxDetections: given.maxDetections ?? [1, 10, 100],
    useCategories: given.useCategories ?? true,
  };
  const { iouThresholds, maxDetections } = params;
  check('iouThresholds', iouThresholds, 'ascending numbers above 0 and at most 1', (v) => v > 0 && v <= 1);
  const count = (v: number) => Number.isInteger(v) && v > 0;
  check('maxDetections', maxDetections, 'three ascending positive integers', count, 3);
  return params;
}

function check(
  name: string,
  values: readonly number[],
  expected: string,
  valid: (v: number) => boolean,
  length?: number,
) {
  const ascending = (v: number, i: number) => valid(v) && (i === 0 || v > values[i - 1]!);
  if (
    Array.isArray(values) &&
    values.length > 0 &&
    values.length === (length ?? values.length) &&
    values.every(ascending)
  )
    return;
  throw new EvaluationOptionError({ what: `${name} cannot be used`, expected, received: shown(values) });
}

/** @throws EvaluationOptionError if `type` is not known. */
export function checkIouType(type: CocoIouType): void {
  if (type === 'bbox' || type === 'segm') return;
  throw new EvaluationOptionError({
    what: 'iouType cannot be used',
    expected: "'bbox' or 'segm'",
    received: shown(type),
  });
}
