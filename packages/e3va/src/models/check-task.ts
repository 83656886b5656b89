import type { WeightFile } from '@e3va/weight-files';
import { ModelError } from '../errors.ts';
import type { Recipe } from '../recipe/schema.ts';

/** Names with which the heads of each task begin. */
const heads: Readonly<Record<Recipe['task'], RegExp>> = {
  segmentation: /^decode_head\./,
  detection: /^(bbox_head|rpn_head|roi_head|rpn|roi_heads|head)\./,
};

/** What to do about a model of the other task. */
const fixes: Readonly<Record<Recipe['task'], string>> = {
  segmentation: 'it is a detector: add --task detection',
  detection: 'it is a segmenter: leave --task detection out',
};

/**
 * Checks that the head of a trained model may be that of a task.
 *
 * @throws {@link ModelError} if the model is of the other task.
 */
export function checkTask({ name, entries }: WeightFile, task: Recipe['task']): void {
  const keys = [...entries.keys()];
  const has = (pattern: RegExp) => keys.some((key) => pattern.test(key));
  const other = task === 'segmentation' ? 'detection' : 'segmentation';
  if (has(heads[task]) || !has(heads[other])) return;
  throw new ModelError({
    what: `${name} is a model of another task`,
    expected: task,
    received: other,
    fix: fixes[task],
  });
}
