import type { Rle, UncompressedRle } from '@e3va/metrics';
import { AnnotationFormatError } from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import type { DraftCategory, DraftImage, DraftObject } from './drafts.ts';
import type { ImageIndex } from './image-index.ts';
import { elementLines, parseJson } from './json-file.ts';
import { parseNumber } from './numbers.ts';
import type { Place, Report } from './problems.ts';

/** What a COCO file says. */
export interface CocoDraft {
  images: DraftImage[];
  categories: (DraftCategory & { id: number; parent: string | undefined })[];
}

type Item = Record<string, unknown>;

/** What reading one file needs. */
interface Reading {
  file: string;
  /** Place of an element of one of the three lists. */
  at(list: 'images' | 'annotations' | 'categories', index: number): Place;
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
  const { images, annotations, categories } = listsOf(parseJson(text, file, report), file);
  const lines = {
    images: elementLines(text, 'images'),
    annotations: elementLines(text, 'annotations'),
    categories: elementLines(text, 'categories'),
  };
  const reading: Reading = { file, at: (list, i) => ({ file, line: () => lines[list](i) }), report };
  noteStringNumbers(reading, images, annotations, categories);
  const byId = readImages(images, reading, (name, place) => index.find(name, { from, split }, place, report));
  readAnnotations(annotations, byId, reading);
  const found = [...new Set(byId.values())].filter((image) => image !== undefined);
  return { images: found, categories: readCategories(categories, reading) };
}

function listsOf(value: unknown, file: string): Record<'images' | 'annotations' | 'categories', Item[]> {
  const refuse = (what: string, fix: string) => new AnnotationFormatError({ what, fix }, { file });
  if (Array.isArray(value)) {
    throw value.some((item) => isItem(item) && 'score' in item) || value.length === 0
      ? refuse(
          'is a list of results (detections with a score), not a data set',
          'open the file with images, annotations and categories; compare results with it by cocoEvaluate',
        )
      : refuse(
          'is a list, not a data set: a results file, or annotations cut out of one',
          'open the file with the keys images, annotations and categories',
        );
  }
  if (!isItem(value))
    throw refuse('holds no COCO data set', 'open a file with images, annotations and categories');
  const lists = {
    images: listOf(value, 'images'),
    annotations: listOf(value, 'annotations'),
    categories: listOf(value, 'categories'),
  };
  if (!lists.images || !lists.annotations) {
    const missing = lists.images ? 'annotations' : 'images';
    throw refuse(`holds no COCO data set: it has no list '${missing}'`, 'open an instances file');
  }
  const [first] = lists.annotations;
  if (first && 'segments_info' in first) {
    throw refuse(
      'holds panoptic segments, not instances',
      'open the instances file of the data set, such as instances_train2017.json',
    );
  }
  if (first && 'caption' in first && !('category_id' in first)) {
    throw refuse('holds captions, not instances', 'open the instances file of the data set');
  }
  if (!lists.categories && lists.annotations.length > 0) {
    throw refuse(
      "has no list 'categories', so its classes have no names",
      'add "categories": [{ "id": 1, "name": "…" }, …]',
    );
  }
  return { images: lists.images, annotations: lists.annotations, categories: lists.categories ?? [] };
}

/** The images by their id as text; `undefined` for one that is left out. */
function readImages(
  items: readonly Item[],
  { at, report }: Reading,
  find: (name: string, place: Place) => string | undefined,
): Map<string, DraftImage | undefined> {
  const byId = new Map<string, DraftImage | undefined>();
  const byFile = new Map<string, DraftImage>();
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
    const twin = file === undefined ? undefined : byFile.get(file);
    if (byId.has(String(id))) {
      const same = twin !== undefined && byId.get(String(id)) === twin;
      const action = same
        ? 'the later entry was dropped'
        : 'the later image was dropped: its annotations cannot be told apart';
      report.warn(place, `two images have the id ${shown(id)}`, action);
    } else if (twin) {
      report.warn(place, `the image ${name} is listed twice`, 'the annotations of both entries were joined');
      byId.set(String(id), twin);
    } else {
      const image = file === undefined ? undefined : draftImage(file, id, item, place);
      byId.set(String(id), image);
      if (image) byFile.set(image.file, image);
    }
  }
  return byId;
}

const draftImage = (file: string, imageId: number | string, item: Item, place: Place): DraftImage => ({
  file,
  imageId,
  sized: true,
  size: { width: numberOf(item.width), height: numberOf(item.height) },
  objects: [],
  place,
});

function readAnnotations(
  items: readonly Item[],
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
        `an annotation is of the image ${shown(item.image_id)}, which is not listed`,
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

function draftObject(item: Item, id: number | undefined, place: Place, report: Report): DraftObject {
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

function maskOf({ size, counts }: Item): Rle | UncompressedRle | undefined {
  if (!Array.isArray(size) || size.length !== 2) return undefined;
  const extent: [number, number] = [numberOf(size[0]), numberOf(size[1])];
  if (typeof counts === 'string') return { size: extent, counts };
  return Array.isArray(counts) ? { size: extent, counts: counts.map(numberOf) } : undefined;
}

function readCategories(items: readonly Item[], { at, report }: Reading): CocoDraft['categories'] {
  const found = new Map<number, CocoDraft['categories'][number]>();
  for (const [i, item] of items.entries()) {
    const id = integerOf(item.id);
    if (id === undefined) {
      report.warn(
        at('categories', i),
        `a category has the id ${shown(item.id)}`,
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
function noteStringNumbers({ at, report }: Reading, ...lists: readonly Item[][]): void {
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

const isItem = (value: unknown): value is Item =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects in a list of the file; other elements are taken as empty, so that places keep their number. */
function listOf(value: Item, key: string): Item[] | undefined {
  const list = Object.hasOwn(value, key) ? value[key] : undefined;
  return Array.isArray(list) ? list.map((item) => (isItem(item) ? item : {})) : undefined;
}

/** A number, also one written as text; else `NaN`. */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? parseNumber(value) : Number.NaN;
}

function integerOf(value: unknown): number | undefined {
  const number = numberOf(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** An id of an image: an integer, also one written as text, or a text. */
const idOf = (value: unknown): number | string | undefined =>
  integerOf(value) ?? (typeof value === 'string' && value !== '' ? value : undefined);

const shown = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number'
    ? JSON.stringify(value).slice(0, 60)
    : value === undefined
      ? 'none'
      : typeof value;
