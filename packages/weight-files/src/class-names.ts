import type { WeightFile } from './weight-file.ts';

/**
 * The names of the classes that a checkpoint of OpenMMLab carries beside its weights: `CLASSES` in `meta` of mmdetection 2 and
 * mmsegmentation 0, `classes` in `dataset_meta` of the versions after them, there or beside it.
 *
 * @param file An open weight file; its metadata are read as JSON.
 * @param count How many classes the model has.
 * @returns Undefined if the file carries none, or another number of them.
 */
export function classNamesIn({ metadata }: WeightFile, count: number): string[] | undefined {
  const meta = parsed(metadata.meta);
  for (const source of [parsed(metadata.dataset_meta), field(meta, 'dataset_meta'), meta]) {
    for (const key of ['classes', 'CLASSES']) {
      const names = field(source, key);
      if (isNames(names, count)) return typeof names === 'string' ? [names] : [...names];
    }
  }
  return undefined;
}

/** One name a class; a single one may be written as a string too. */
function isNames(value: unknown, count: number): value is string | readonly string[] {
  if (typeof value === 'string') return count === 1;
  return Array.isArray(value) && value.length === count && value.every((name) => typeof name === 'string');
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** What a string of JSON holds; nothing if it is none. */
function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
