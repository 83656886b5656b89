import { addClass, emptyCurves } from './curves.ts';
import type { CocoDataset, CocoDetection } from './dataset.ts';
import { compareIds, indexDataset } from './dataset-index.ts';
import { groupBy, membersOf } from './groups.ts';
import { matchClass } from './match.ts';
import { type FoundObjects, foundObjects, type Objects, trueObjects } from './objects.ts';
import { type CocoIouType, type CocoParams, checkIouType, cocoParams } from './options.ts';
import { overlapsOf } from './overlaps.ts';
import { type CocoScores, scoresOfCurves } from './scores.ts';

/**
 * Average precision and recall of detections as COCO defines them: the numbers of `pycocotools.cocoeval`.
 *
 * Its peculiarities are kept: an annotation's `ignore` is not read, `iscrowd` alone decides; to match an annotation of id 0
 * is no match; `AP` is -1 unless one of `maxDetections` is 100; where a detection has a box and a mask, its size class goes
 * by the box (leave the boxes out to go by the masks). The inputs are not written to. Classes keep the order of
 * `categories`, where pycocotools sorts them.
 *
 * @param groundTruth All images, also those without an object: detections elsewhere are refused.
 * @param options.iouType `'bbox'` compares boxes, `'segm'` masks.
 * @throws GroundTruthError if the ground truth cannot be used: double ids, unknown images or classes, numbers or masks that are none.
 * @throws DetectionError if a detection cannot be used, for example by a score that is NaN; it names the detection.
 * @throws EvaluationOptionError if a parameter cannot be used.
 *
 * @example
 * ```ts
 * import { cocoEvaluate } from '@e3va/metrics';
 *
 * const truth = {
 *   images: [{ id: 1 }],
 *   annotations: [{ id: 1, image_id: 1, category_id: 1, bbox: [10, 10, 40, 40] as [number, number, number, number], area: 1600 }],
 *   categories: [{ id: 1, name: 'cell' }],
 * };
 * const found = [{ image_id: 1, category_id: 1, bbox: [10, 10, 40, 36] as [number, number, number, number], score: 0.8 }];
 * const { AP, AP50, perClass } = cocoEvaluate(truth, found, { iouType: 'bbox' });
 * console.log(AP.toFixed(3), AP50.toFixed(3), perClass[0]?.name); // 0.900 1.000 cell
 * ```
 */
export function cocoEvaluate(
  groundTruth: CocoDataset,
  detections: readonly CocoDetection[],
  options: { iouType: CocoIouType; params?: Partial<CocoParams> },
): CocoScores {
  const { iouType } = options;
  checkIouType(iouType);
  const params = cocoParams(options.params);
  const index = indexDataset(groundTruth);
  const truths = trueObjects(groundTruth, index, iouType);
  const found = foundObjects(detections, index, iouType);
  const classes = params.useCategories ? groundTruth.categories : [{ id: -1, name: 'all classes' }];
  const classOf = (objects: Objects) =>
    params.useCategories ? (i: number) => objects.category[i]! : () => 0;
  const rank = categoryRanks(groundTruth, params.useCategories);
  const truthsByClass = groupBy(truthOrder(truths, rank), classes.length, classOf(truths));
  const foundByClass = groupBy(foundOrder(found, rank), classes.length, classOf(found));
  const { iouThresholds, maxDetections } = params;
  const overlaps = overlapsOf(iouType, found, truths);
  const context = {
    found,
    truths,
    overlaps,
    images: index.images.length,
    iouThresholds,
    limit: maxDetections[2],
  };
  const curves = emptyCurves(iouThresholds.length, classes.length);
  for (let k = 0; k < classes.length; k++) {
    const matches = matchClass(membersOf(foundByClass, k), membersOf(truthsByClass, k), context);
    addClass(curves, k, matches, found.scores, maxDetections);
  }
  return scoresOfCurves(curves, classes, params);
}

/** For each class its place in ascending order of the ids, in which one class after the other is taken where all are one. */
function categoryRanks({ categories }: CocoDataset, useCategories: boolean): Int32Array {
  const ranks = new Int32Array(categories.length);
  if (useCategories) return ranks;
  const ascending = [...categories.keys()].sort((a, b) => compareIds(categories[a]!.id, categories[b]!.id));
  ascending.forEach((k, i) => {
    ranks[k] = i;
  });
  return ranks;
}

const upTo = (count: number) => Int32Array.from({ length: count }, (_, i) => i);

/** True objects in the order in which they are tried. */
const truthOrder = ({ count, category }: Objects, rank: Int32Array) =>
  upTo(count).sort((a, b) => rank[category[a]!]! - rank[category[b]!]! || a - b);

/** Detections, surest first; of equal scores by image, class where all are one, and place in the list. */
function foundOrder({ count, scores, image, category }: FoundObjects, rank: Int32Array): Int32Array {
  return upTo(count).sort(
    (a, b) =>
      scores[b]! - scores[a]! || image[a]! - image[b]! || rank[category[a]!]! - rank[category[b]!]! || a - b,
  );
}
