import { DetectionError, GroundTruthError, PolygonError, RleError } from '../errors.ts';
import { runsOfPolygons } from '../mask/polygon.ts';
import { type Runs, runsOf, shown } from '../mask/runs.ts';
import { type MeasuredRuns, measureRuns } from '../mask/runs-geometry.ts';
import type { CocoAnnotation, CocoDataset, CocoDetection, CocoImage } from './dataset.ts';
import type { DatasetIndex } from './dataset-index.ts';
import type { CocoIouType } from './options.ts';

/** Objects, one array a property. */
export interface Objects {
  count: number;
  /** Place of the object's image in ascending order of the ids. */
  image: Int32Array;
  /** Place of the object's class in the data set's list. */
  category: Int32Array;
  area: Float64Array;
  /** `x y width height` of each object, where boxes are compared. */
  boxes: Float64Array;
  /** The mask of each object, where masks are compared. */
  masks: MeasuredRuns[];
}

/** True objects. */
export interface TrueObjects extends Objects {
  crowd: Uint8Array;
  /** 1 for an object of id 0: to match it is no match in COCO's evaluation. */
  idZero: Uint8Array;
}

/** Detections. */
export interface FoundObjects extends Objects {
  scores: Float64Array;
}

const emptyObjects = (count: number): Objects => ({
  count,
  image: new Int32Array(count),
  category: new Int32Array(count),
  area: new Float64Array(count),
  boxes: new Float64Array(4 * count),
  masks: [],
});

/**
 * The true objects of a data set.
 *
 * @throws GroundTruthError if an annotation cannot be used; it names the annotation.
 */
export function trueObjects(
  { annotations }: CocoDataset,
  index: DatasetIndex,
  type: CocoIouType,
): TrueObjects {
  const objects = emptyObjects(annotations.length);
  const crowd = new Uint8Array(annotations.length);
  const idZero = new Uint8Array(annotations.length);
  annotations.forEach((annotation, i) => {
    const { id, area, bbox, iscrowd } = annotation;
    const fail: Fail = (what, expected, received) => {
      throw new GroundTruthError({
        what: `annotation ${shown(id)} ${what}`,
        expected,
        received: shown(received),
      });
    };
    const image = place(objects, i, annotation, index, fail);
    if (!Number.isFinite(area)) fail('has no usable area', 'a number of pixels', area);
    objects.area[i] = area;
    crowd[i] = iscrowd ? 1 : 0;
    idZero[i] = id === 0 ? 1 : 0;
    if (type === 'bbox') placeBox(objects, i, bbox, fail);
    else objects.masks.push(measured(() => trueRuns(annotation, image, fail), image, fail));
  });
  return { ...objects, crowd, idZero };
}

function trueRuns({ segmentation }: CocoAnnotation, { height, width }: CocoImage, fail: Fail): Runs {
  if (!segmentation) fail('has no mask', 'a segmentation', segmentation);
  if (!Array.isArray(segmentation)) return runsOf(segmentation);
  if (height === undefined || width === undefined) {
    return fail('has polygons but its image no size', 'the image with height and width', [height, width]);
  }
  return runsOfPolygons(segmentation, [height, width]);
}

/**
 * Detections. One with a box and a mask has the area of its box, as in pycocotools.
 *
 * @throws DetectionError if there is no list, or a detection cannot be used; it names its place in the list.
 */
export function foundObjects(
  detections: readonly CocoDetection[],
  index: DatasetIndex,
  type: CocoIouType,
): FoundObjects {
  if (!Array.isArray(detections)) {
    throw new DetectionError({
      what: 'the detections are no list',
      expected: 'an array of { image_id, category_id, score, bbox or segmentation }',
      received: shown(detections),
    });
  }
  const objects = emptyObjects(detections.length);
  const scores = new Float64Array(detections.length);
  detections.forEach((item: CocoDetection | null, i) => {
    const detection = item ?? ({} as CocoDetection);
    const { score, bbox, segmentation } = detection;
    const fail: Fail = (what, expected, received) => {
      throw new DetectionError({ what: `detection ${i} ${what}`, expected, received: shown(received) });
    };
    const image = place(objects, i, detection, index, fail);
    if (!Number.isFinite(score)) fail('has no usable score', 'a finite number', score);
    scores[i] = score;
    if (type === 'segm' || bbox === undefined) {
      if (!segmentation) {
        fail(`has no ${type === 'segm' ? 'mask' : 'box'}`, 'run lengths as segmentation', segmentation);
      }
      const mask = measured(() => runsOf(segmentation), image, fail);
      objects.area[i] = mask.area;
      objects.boxes.set(mask.box, 4 * i);
      if (type === 'segm') objects.masks.push(mask);
    }
    if (bbox !== undefined) {
      placeBox(objects, i, bbox, fail);
      objects.area[i] = bbox[2] * bbox[3];
    }
  });
  return { ...objects, scores };
}

type Fail = (what: string, expected: string, received: unknown) => never;

function place(
  objects: Objects,
  i: number,
  { image_id, category_id }: CocoAnnotation | CocoDetection,
  { images, imageAt, categoryAt }: DatasetIndex,
  fail: Fail,
): CocoImage {
  const image = imageAt.get(image_id);
  const category = categoryAt.get(category_id);
  if (image === undefined) return fail('is of an unknown image', 'the id of an image', image_id);
  if (category === undefined) return fail('is of an unknown class', 'the id of a category', category_id);
  objects.image[i] = image;
  objects.category[i] = category;
  return images[image]!;
}

function placeBox(objects: Objects, i: number, bbox: readonly number[] | undefined, fail: Fail): void {
  const expected = '[x, y, width, height], finite, the last two not negative';
  if (!Array.isArray(bbox) || bbox.length !== 4) fail('has no usable box', expected, bbox);
  for (let side = 0; side < 4; side++) {
    const value = bbox[side]!;
    if (!Number.isFinite(value) || (side > 1 && value < 0)) fail('has no usable box', expected, bbox);
    objects.boxes[4 * i + side] = value;
  }
}

/** A mask with its measures; errors of reading it, or another size than its image's, are told with the object's name. */
function measured(read: () => Runs, { height, width }: CocoImage, fail: Fail): MeasuredRuns {
  let runs: Runs;
  try {
    runs = read();
  } catch (error) {
    if (!(error instanceof RleError || error instanceof PolygonError)) throw error;
    const { what, expected, received } = error.parts;
    return fail(`has no usable mask: ${what}`, expected!, received);
  }
  const fits = runs.height === (height ?? runs.height) && runs.width === (width ?? runs.width);
  if (fits) return measureRuns(runs);
  return fail('has a mask of another size than its image', `${height} × ${width}`, [runs.height, runs.width]);
}
