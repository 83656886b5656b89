import { GroundTruthError } from '../errors.ts';
import { shown } from '../mask/runs.ts';
import type { CocoDataset, CocoImage } from './dataset.ts';

type Id = number | string;

/** Images and classes of a data set, found by id. */
export interface DatasetIndex {
  /** The images in ascending order of their ids, numbers before texts. */
  images: readonly CocoImage[];
  /** Place in `images`. */
  imageAt: ReadonlyMap<Id, number>;
  /** Place in the data set's list of classes. */
  categoryAt: ReadonlyMap<Id, number>;
}

/**
 * Looks through a data set's lists. The order of the images decides between detections of equal score.
 *
 * @throws GroundTruthError if a list is missing, or an id is missing or double.
 */
export function indexDataset(dataset: CocoDataset): DatasetIndex {
  for (const list of ['images', 'annotations', 'categories'] as const) {
    if (Array.isArray(dataset?.[list])) continue;
    throw new GroundTruthError({
      what: `the ground truth has no list of ${list}`,
      expected: 'an object { images, annotations, categories }',
      received: shown(dataset?.[list]),
    });
  }
  placesOf('annotation', dataset.annotations);
  const categoryAt = placesOf('category', dataset.categories);
  placesOf('image', dataset.images);
  const images = [...dataset.images].sort((a, b) => compareIds(a.id, b.id));
  return { images, imageAt: placesOf('image', images), categoryAt };
}

/** Ascending order, numbers before texts. */
export function compareIds(a: Id, b: Id): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function placesOf(kind: string, items: readonly { id: Id }[]): Map<Id, number> {
  const places = new Map<Id, number>();
  items.forEach((item, i) => {
    const id = item?.id;
    const usable = typeof id === 'string' || Number.isFinite(id);
    if (usable && !places.has(id)) places.set(id, i);
    else {
      throw new GroundTruthError({
        what: usable ? `the ${kind} id ${shown(id)} occurs twice` : `${kind} entry ${i} has no usable id`,
        expected: 'an id of its own for each: a finite number, or a text',
        received: shown(id),
      });
    }
  });
  return places;
}
