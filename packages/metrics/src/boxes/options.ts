import { ClassCountError, EvaluationOptionError } from '../errors.ts';
import { shown } from '../mask/runs.ts';

/** @throws ClassCountError if `classes` is no number of classes. */
export function checkClasses(classes: number): void {
  if (Number.isInteger(classes) && classes > 0 && classes <= 4096) return;
  throw new ClassCountError({
    what: 'an evaluation of detections needs a number of classes',
    expected: 'an integer from 1 to 4096',
    received: shown(classes),
  });
}

/** @throws EvaluationOptionError if `threshold` is no IoU that a match can be asked for. */
export function checkIouThreshold(threshold: number): void {
  if (threshold > 0 && threshold <= 1) return;
  throw new EvaluationOptionError({
    what: 'iouThreshold cannot be used',
    expected: 'a number above 0 and at most 1',
    received: shown(threshold),
  });
}

/** @throws EvaluationOptionError if `threshold` is no finite number. */
export function checkScoreThreshold(threshold: number): void {
  if (Number.isFinite(threshold)) return;
  throw new EvaluationOptionError({
    what: 'scoreThreshold cannot be used',
    expected: 'a finite number',
    received: shown(threshold),
  });
}
