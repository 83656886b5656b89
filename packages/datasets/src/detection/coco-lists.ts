import { AnnotationFormatError } from '../errors.ts';
import { parseNumber } from './numbers.ts';

/** An element of a COCO file, unchecked. */
export type CocoItem = Record<string, unknown>;

/** The lists of a COCO file. */
export type CocoList = 'images' | 'annotations' | 'categories';

/**
 * The lists of a parsed COCO instances file.
 *
 * @param file Path for messages.
 * @throws AnnotationFormatError that says what the file is instead: results, panoptic segments, captions.
 */
export function cocoLists(value: unknown, file: string): Record<CocoList, CocoItem[]> {
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

/** Whether a value is an object, not a list. */
export const isItem = (value: unknown): value is CocoItem =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The objects in a list of the file; other elements are taken as empty, so that places keep their number. */
function listOf(value: CocoItem, key: string): CocoItem[] | undefined {
  const list = Object.hasOwn(value, key) ? value[key] : undefined;
  return Array.isArray(list) ? list.map((item) => (isItem(item) ? item : {})) : undefined;
}

/** A number, also one written as text; else `NaN`. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return typeof value === 'string' ? parseNumber(value) : Number.NaN;
}

/** A safe integer, also one written as text, or `undefined`. */
export function integerOf(value: unknown): number | undefined {
  const number = numberOf(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** An id of an image: an integer, also one written as text, or a text. */
export const idOf = (value: unknown): number | string | undefined =>
  integerOf(value) ?? (typeof value === 'string' && value !== '' ? value : undefined);

/** A value in a message. */
export const shownValue = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number'
    ? JSON.stringify(value).slice(0, 60)
    : value === undefined
      ? 'none'
      : typeof value;
