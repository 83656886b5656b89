import type { WeightFile } from '@e3va/weight-files';
import { cocoCategories, cocoNames } from './coco-names.ts';
import { field, metaOf, parsed } from './metadata.ts';
import type { DetectorNaming } from './naming.ts';

/**
 * The names of a detector's classes: those that the file carries; else COCO's if there are as many; else `class 0` and so on.
 *
 * mmdetection 2 keeps them as `CLASSES` in `meta`, mmdetection 3 as `dataset_meta`, there or beside it. Of torchvision's files, trained
 * on COCO, the labels are its category numbers.
 *
 * @param count How many classes the detector has.
 */
export function classNamesOf(file: WeightFile, count: number, naming: DetectorNaming): string[] {
  const meta = metaOf(file);
  const sources = [parsed(file.metadata.dataset_meta), field(meta, 'dataset_meta'), meta];
  for (const source of sources) {
    for (const key of ['classes', 'CLASSES']) {
      const names = field(source, key);
      if (isNames(names, count)) return typeof names === 'string' ? [names] : [...names];
    }
  }
  if (naming === 'mmdet' && count === cocoNames.length) return [...cocoNames];
  if (naming === 'torchvision' && (count === 90 || count === 91)) return cocoCategories.slice(91 - count);
  return Array.from({ length: count }, (_, i) => `class ${i}`);
}

/** One name a class; mmdetection writes a single one as a string too. */
function isNames(value: unknown, count: number): value is string | readonly string[] {
  if (typeof value === 'string') return count === 1;
  return Array.isArray(value) && value.length === count && value.every((name) => typeof name === 'string');
}
