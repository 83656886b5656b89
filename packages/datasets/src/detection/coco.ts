import type { Rle, UncompressedRle } from '@e3va/metrics';
import type { SplitName } from '../layouts.ts';
import {
  type CocoItem,
  type CocoList,
  cocoLists,
  idOf,
  integerOf,
  isItem,
  numberOf,
  shownValue,
} from './coco-lists.ts';
import type { DraftCategory, DraftImage, DraftObject } from './drafts.ts';
import type { ImageIndex } from './image-index.ts';
import { elementLines, parseJson } from './json-file.ts';
import type { Place, Report } from './problems.ts';
import { groupBy } from './recognise.ts';

/** What a COCO file says. */
export interface CocoDraft {
  images: DraftImage[];
  categories: (DraftCategory & { id: number; parent: string | undefined })[];
}

/** What reading one file needs. */
interface Reading {
  file: string;
  /** Place of an element of one of the three lists. */
  at(list: CocoList, index: number): Place;
  report: Report;
}

/**
 * Reads a COCO instances file: polygons, both forms of RLE, crowds. Ids may be numbers or strings.
 *
 * @param text Content of the file.
 * @param file Path for messages; `from` is the same below the data folder.
 * @throws AnnotationSyntaxError, AnnotationFormatError
 */
export function readCoco(
  text: string,
  { file, from, split }: { file: string; from: string; split: SplitName | undefined },
  index: ImageIndex,
  report: Report,
): CocoDraft {
  const { images, annotations, categories } = cocoLists(parseJson(text, file, report), file);
  const lines = {
    images: elementLines(text, 'images'),
    annotations: elementLines(text, 'annotations'),
    categories: elementLines(text, 'categories'),
  };
  const reading: Reading = { file, at: (list, i) => ({ file, line: () => lines[list](i) }), report };
  noteStringNumbers(reading, images, annotations, categories);
  const byId = readImages(images, reading, (name, place) => index.find(name, { from, split }, place, report));
  readAnnotations(annotations, byId, reading);
  const found = [...byId.values()].filter((image) => image !== undefined);
  return { images: joinTwins(found, report), categories: readCategories(categories, reading) };
}

/** The images by their id as text; `undefined` for one that is left out. */
function readImages(
  items: readonly CocoItem[],
  { at, report }: Reading,
  find: (name: string, place: Place) => string | undefined,
): Map<string, DraftImage | undefined> {
  const byId = new Map<string, DraftImage | undefined>();
  for (const [i, item] of items.entries()) {
    const place = at('images', i);
    const [id, name] = [idOf(item.id), item.file_name];
    if (id === undefined || typeof name !== 'string') {
      report.warn(
        place,
        `an image has no ${id === undefined ? 'id' : 'file_name'}`,
        'dropped with its annotations',
      );
      continue;
    }
    const file = find(name, place);
    if (byId.has(String(id))) {
      const same = file !== undefined && byId.get(String(id))?.file === file;
      const action = same
        ? 'the later entry was dropped'
        : 'the later image was dropped: its annotations cannot be told apart';
      report.warn(place, `two images have the id ${shownValue(id)}`, action);
    } else byId.set(String(id), file === undefined ? undefined : draftImage(file, id, item, place));
  }
  return byId;
}

const draftImage = (file: string, imageId: number | string, item: CocoItem, place: Place): DraftImage => ({
  file,
  imageId,
  sized: true,
  size: { width: numberOf(item.width), height: numberOf(item.height) },
  objects: [],
  place,
});

/**
 * One image that is listed under several ids: copies with the same annotations stay, as results for all ids are wanted;
 * else the annotations belong together, since a copy without some of them would teach that nothing is there.
 */
function joinTwins(images: readonly DraftImage[], report: Report): DraftImage[] {
  const left = new Set(images);
  for (const [file, [first, ...others]] of groupBy(images, (image) => image.file)) {
    for (const other of others) {
      const what = `the image ${file} is listed twice`;
      if (signature(other) === signature(first!)) {
        report.warn(other.place, `${what}, with the same annotations`, 'both were kept');
      } else {
        report.warn(other.place, what, 'the annotations of both entries were joined');
        first!.objects.push(...other.objects);
        left.delete(other);
      }
    }
  }
  return [...left];
}

const signature = ({ objects }: DraftImage): string =>
  objects
    .map(({ category, box }) => `${category}:${box}`)
    .sort()
    .join();

function readAnnotations(
  items: readonly CocoItem[],
  images: ReadonlyMap<string, DraftImage | undefined>,
  { at, report }: Reading,
): void {
  const ids = new Set<number>();
  let highest = items.reduce((most, { id }) => Math.max(most, integerOf(id) ?? 0), 0);
  for (const [i, item] of items.entries()) {
    const place = at('annotations', i);
    const imageId = idOf(item.image_id);
    if (imageId === undefined || !images.has(String(imageId))) {
      report.warn(
        place,
        `an annotation is of the image ${shownValue(item.image_id)}, which is not listed`,
        'dropped',
      );
      continue;
    }
    let id = integerOf(item.id);
    if (id !== undefined && ids.has(id)) {
      highest++;
      report.warn(place, `two annotations have the id ${id}`, `the later one became ${highest}`);
      id = highest;
    }
    if (id !== undefined) ids.add(id);
    images.get(String(imageId))?.objects.push(draftObject(item, id, place, report));
  }
}

function draftObject(item: CocoItem, id: number | undefined, place: Place, report: Report): DraftObject {
  const bbox = Array.isArray(item.bbox) ? item.bbox.map(numberOf) : undefined;
  const [x, y, width, height] = bbox ?? [];
  return {
    category: idOf(item.category_id),
    box: bbox?.length === 4 ? [x!, y!, x! + width!, y! + height!] : bbox,
    bbox,
    outline: outlineOf(item.segmentation, place, report),
    crowd: item.iscrowd === true || numberOf(item.iscrowd) === 1,
    difficult: item.ignore === true || numberOf(item.ignore) === 1,
    area: item.area === undefined ? undefined : numberOf(item.area),
    id,
    place,
  };
}

function outlineOf(value: unknown, place: Place, report: Report): DraftObject['outline'] {
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return undefined;
  if (Array.isArray(value)) {
    if (value.every(Array.isArray)) return value.map((polygon) => polygon.map(numberOf));
    if (value.every((v) => !Number.isNaN(numberOf(v)))) {
      report.warn(place, 'a segmentation is one flat list, not a list of polygons', 'taken as one polygon');
      return [value.map(numberOf)];
    }
  } else if (isItem(value)) {
    const mask = maskOf(value);
    if (mask) return mask;
  }
  report.warn(place, 'a segmentation is neither polygons nor RLE', 'the outline was dropped');
  return undefined;
}

function maskOf({ size, counts }: CocoItem): Rle | UncompressedRle | undefined {
  if (!Array.isArray(size) || size.length !== 2) return undefined;
  const extent: [number, number] = [numberOf(size[0]), numberOf(size[1])];
  if (typeof counts === 'string') return { size: extent, counts };
  return Array.isArray(counts) ? { size: extent, counts: counts.map(numberOf) } : undefined;
}

function readCategories(items: readonly CocoItem[], { at, report }: Reading): CocoDraft['categories'] {
  const found = new Map<number, CocoDraft['categories'][number]>();
  for (const [i, item] of items.entries()) {
    const id = integerOf(item.id);
    if (id === undefined) {
      report.warn(
        at('categories', i),
        `a category has the id ${shownValue(item.id)}`,
        'dropped with its annotations',
      );
      continue;
    }
    const given =
      typeof item.name === 'string' || typeof item.name === 'number' ? String(item.name).trim() : '';
    if (given === '')
      report.warn(at('categories', i), `the category ${id} has no name`, `named 'category ${id}'`);
    const name = given || `category ${id}`;
    const twin = found.get(id);
    if (twin && twin.name !== name) {
      report.warn(
        at('categories', i),
        `two categories have the id ${id}`,
        `'${twin.name}' was kept, '${name}' dropped`,
      );
    }
    const parent = typeof item.supercategory === 'string' ? item.supercategory : undefined;
    if (!twin) found.set(id, { key: id, id, name, parent });
  }
  return [...found.values()];
}

/** One warning a file for numbers that are written as text. */
function noteStringNumbers({ at, report }: Reading, ...lists: readonly CocoItem[][]): void {
  const names = ['images', 'annotations', 'categories'] as const;
  for (const [l, name] of names.entries()) {
    const i = lists[l]!.findIndex(({ id, image_id, category_id, bbox }) =>
      [id, image_id, category_id, ...(Array.isArray(bbox) ? bbox : [])].some(
        (v) => typeof v === 'string' && Number.isFinite(numberOf(v)),
      ),
    );
    if (i < 0) continue;
    report.warn(
      at(name, i),
      'ids or coordinates are written as text',
      'read as numbers, here and in the rest of the file',
    );
    return;
  }
}
