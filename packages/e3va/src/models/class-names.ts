import { classNamesIn, type WeightFile } from '@e3va/weight-files';

/**
 * The names of a segmenter's classes: `id2label` of Hugging Face's config.json, those that OpenMMLab's checkpoints carry, or
 * `class 0` and so on.
 *
 * @param count How many classes the segmenter has.
 */
export function classNames(
  file: WeightFile,
  config: Record<string, unknown> | undefined,
  count: number,
): string[] {
  const labelled = Array.from({ length: count }, (_, i) => labelOf(config?.id2label, i));
  if (labelled.every((name) => name !== undefined)) return labelled;
  return classNamesIn(file, count) ?? labelled.map((_, i) => `class ${i}`);
}

function labelOf(id2label: unknown, index: number): string | undefined {
  if (typeof id2label !== 'object' || id2label === null || !Object.hasOwn(id2label, index)) return undefined;
  const name = (id2label as Record<number, unknown>)[index];
  return typeof name === 'string' ? name : undefined;
}
