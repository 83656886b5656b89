import type { SplitName } from '../layouts.ts';
import type { Labels } from './decide-labels.ts';
import type { DraftImage, DraftObject } from './drafts.ts';
import { folderOf, stemOf } from './file-list.ts';
import { type ImageExtent, imageSizes } from './image-sizes.ts';
import { isPolygons } from './outline.ts';
import type { Reading } from './reading.ts';
import { groupBy } from './recognise.ts';
import type { DetectionInfo } from './sample.ts';
import { type SettledObject, settleObject } from './settle-object.ts';

/** An image whose annotations can be used. */
export interface SettledImage {
  info: DetectionInfo;
  /** COCO boxes as written, in the order of the objects; `undefined` where they were changed. */
  bboxes: SettledObject['bbox'][];
  /** What decides on its side of a random split: copies of an image have it in common. */
  name: string;
}

/** What was counted on the way. */
export interface Counts {
  images: number;
  objects: number;
  /** Objects of classes that were not chosen. */
  otherClasses: number;
}

/** Turns the drafts of a split into samples: sizes from the images, labels, the rules for bad annotations. */
export async function settleSplit(
  drafts: readonly DraftImage[],
  labels: Labels,
  counts: Counts,
  reading: Reading,
): Promise<SettledImage[]> {
  const sizes = await imageSizes(drafts, reading);
  const names = namesOf(drafts);
  const copies = copyNumbers(drafts);
  return drafts.flatMap((draft, i) => {
    const size = sizes[i];
    counts.images++;
    if (!size) return [];
    const settled = draft.objects.flatMap(
      (object) => settleDraft(object, draft, size, labels, counts, reading) ?? [],
    );
    counts.objects += settled.length;
    const info: DetectionInfo = {
      name: copies[i]! > 0 ? `${names[i]}-${draft.imageId}` : names[i]!,
      file: reading.path(draft.file),
      width: size.width,
      height: size.height,
      imageId: draft.imageId ?? counts.images,
      objects: settled.map(({ object }) => object),
    };
    return [{ info, name: names[i]!, bboxes: settled.map(({ bbox }) => bbox) }];
  });
}

function settleDraft(
  object: DraftObject,
  { fractions }: DraftImage,
  size: ImageExtent,
  labels: Labels,
  counts: Counts,
  { report }: Reading,
): SettledObject | undefined {
  const label = object.category === undefined ? undefined : labels.labelOf.get(object.category);
  if (label !== undefined)
    return settleObject(fractions ? inPixels(object, size) : object, label, size, report);
  if (object.category !== undefined && labels.chosen) counts.otherClasses++;
  else if (object.category === undefined || Number.isNaN(object.category))
    report.warn(object.place, 'an object has no class', 'dropped');
  else
    report.warn(
      object.place,
      `the class ${JSON.stringify(object.category).slice(0, 80)} is not known`,
      'dropped',
    );
  return undefined;
}

/** Coordinates in fractions of the image, as pixels. */
function inPixels(object: DraftObject, { width, height }: ImageExtent): DraftObject {
  const scaled = (values: readonly number[]) => values.map((v, i) => v * (i % 2 === 0 ? width : height));
  const { box, outline } = object;
  return {
    ...object,
    box: box && scaled(box),
    outline: outline && (isPolygons(outline) ? outline.map(scaled) : outline),
  };
}

/** Paths below the folder that all have in common, without extension unless two differ in nothing else. */
function namesOf(drafts: readonly DraftImage[]): string[] {
  const common = drafts.map(({ file }) => folderOf(file)).reduce(commonFolder, undefined) ?? '';
  const below = drafts.map(({ file }) => (common === '' ? file : file.slice(common.length + 1)));
  const stems = groupBy(new Set(below), stemOf);
  return below.map((file) => (stems.get(stemOf(file))!.length === 1 ? stemOf(file) : file));
}

/** How many images before each one have its file. */
function copyNumbers(drafts: readonly DraftImage[]): number[] {
  const seen = new Map<string, number>();
  return drafts.map(({ file }) => {
    const before = seen.get(file) ?? 0;
    seen.set(file, before + 1);
    return before;
  });
}

function commonFolder(a: string | undefined, b: string): string {
  if (a === undefined || a === b) return b;
  const [left, right] = [a.split('/'), b.split('/')];
  const differing = left.findIndex((part, i) => part !== right[i]);
  return left.slice(0, differing < 0 ? left.length : differing).join('/');
}

/** One warning for each image that is in two splits: its scores would say nothing. */
export function noteSharedImages(
  splits: ReadonlyMap<SplitName, readonly SettledImage[]>,
  { report }: Reading,
): void {
  const seen = new Map<string, SplitName>();
  for (const [split, images] of splits) {
    for (const { info } of images) {
      const other = seen.get(info.file);
      if (other !== undefined && other !== split) {
        report.warn({ file: info.file }, `the image is in '${other}' and in '${split}'`, 'kept in both');
      }
      seen.set(info.file, split);
    }
  }
}
