import { classNamesIn, type WeightFile } from '@e3va/weight-files';
import { cocoCategories, cocoNames } from './coco-names.ts';
import type { DetectorNaming } from './naming.ts';

/**
 * The names of a detector's classes: those that the file carries; else COCO's if there are as many; else `class 0` and so on. Of
 * torchvision's files, trained on COCO, the labels are its category numbers.
 *
 * @param count How many classes the detector has.
 */
export function classNamesOf(file: WeightFile, count: number, naming: DetectorNaming): string[] {
  const own = classNamesIn(file, count);
  if (own) return own;
  if (naming === 'mmdet' && count === cocoNames.length) return [...cocoNames];
  if (naming === 'torchvision' && (count === 90 || count === 91)) return cocoCategories.slice(91 - count);
  return Array.from({ length: count }, (_, i) => `class ${i}`);
}
