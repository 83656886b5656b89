import { areaUnderCurve, elevenPoints } from './average-precision.ts';
import { checkImages, type FoundBox, iouOfBoxes, isIgnored, type TrueBox } from './objects.ts';
import { checkClasses, checkIouThreshold } from './options.ts';

/** How {@link vocEvaluate} compares. */
export interface VocOptions {
  /** The number of classes. */
  classes: number;
  /** Least IoU of a match. Default: 0.5. */
  iouThreshold?: number;
  /**
   * Whether a box holds the pixels of its second corner, so that its width is `x2 - x1 + 1`, as in VOC's own files and program.
   * Default: false.
   */
  inclusivePixels?: boolean;
  /**
   * Whether a recall of exactly 0.3, 0.6 or 0.7 reaches that of the eleven points. Programs that make the points with numpy
   * (mmdetection among them) have these three a bit higher in the last binary digit, and miss it. Default: false, as those programs.
   */
  exactPoints?: boolean;
}

/** Scores of one class; both are `null` if it has no object. */
export interface VocClassScores {
  /** Area under precision made monotone, over recall: VOC from 2010 on. */
  AP: number | null;
  /** Mean of the highest precisions from recall 0, 0.1 … 1 on: VOC up to 2009. */
  AP11: number | null;
  /** Number of objects to be found, without those that do not count. */
  objects: number;
  /** Recall with each detection of the class added, surest first. */
  recall: Float64Array;
  /** Precision with each detection of the class added, surest first. */
  precision: Float64Array;
}

/** What {@link vocEvaluate} gives. */
export interface VocScores {
  /** Mean of the classes' AP, over classes with objects; NaN if there is none. */
  mAP: number;
  /** Mean of the classes' AP by eleven points; NaN if no class has objects. */
  mAP11: number;
  /** The scores of each class. */
  perClass: VocClassScores[];
}

/**
 * Average precision as PASCAL VOC defines it. Detections are taken surest first over all images; one is right if the
 * object of its class that it overlaps most is free and reaches the threshold. A detection of an object that is difficult
 * (or a crowd) counts neither for nor against, a second one of an object is wrong.
 *
 * @param truths The objects of each image.
 * @param found The detections in each image, in the same order.
 * @throws LengthMismatchError, GroundTruthError, DetectionError or ClassIndexError if the lists cannot be compared.
 * @throws ClassCountError or EvaluationOptionError if an option cannot be used.
 *
 * @example
 * ```ts
 * import { type FoundBox, type TrueBox, vocEvaluate } from '@e3va/metrics';
 *
 * const truths: TrueBox[][] = [[{ box: [10, 10, 50, 50], label: 0 }]];
 * const found: FoundBox[][] = [[{ box: [10, 10, 50, 46], label: 0, score: 0.8 }]];
 * const { mAP, mAP11 } = vocEvaluate(truths, found, { classes: 1 });
 * console.log(mAP, mAP11); // 1 1
 * ```
 */
export function vocEvaluate(
  truths: readonly (readonly TrueBox[])[],
  found: readonly (readonly FoundBox[])[],
  { classes, iouThreshold = 0.5, inclusivePixels = false, exactPoints = false }: VocOptions,
): VocScores {
  checkClasses(classes);
  checkIouThreshold(iouThreshold);
  checkImages(truths, found, classes);
  const perClass = groupByClass(truths, found, classes).map((group) =>
    scoresOfCurve(curveOfClass(group, iouThreshold, inclusivePixels ? 1 : 0), exactPoints),
  );
  return { mAP: mean(perClass.map(({ AP }) => AP)), mAP11: mean(perClass.map(({ AP11 }) => AP11)), perClass };
}

/** The objects and detections of one class. */
interface ClassGroup {
  /** The number of objects to be found. */
  objects: number;
  /** The objects of each image that has any. */
  truths: Map<number, Candidate[]>;
  /** Surest first; of equal scores in the order of the images. */
  detections: { image: number; detection: FoundBox }[];
}

/** An object, and whether a detection has it already. */
interface Candidate {
  object: TrueBox;
  matched: boolean;
}

function groupByClass(
  truths: readonly (readonly TrueBox[])[],
  found: readonly (readonly FoundBox[])[],
  classes: number,
): ClassGroup[] {
  const groups = Array.from(
    { length: classes },
    (): ClassGroup => ({ objects: 0, truths: new Map(), detections: [] }),
  );
  truths.forEach((list, image) => {
    for (const object of list) {
      const group = groups[object.label]!;
      const own = group.truths.get(image);
      if (own) own.push({ object, matched: false });
      else group.truths.set(image, [{ object, matched: false }]);
      if (!isIgnored(object)) group.objects++;
    }
  });
  found.forEach((list, image) => {
    for (const detection of list) groups[detection.label]!.detections.push({ image, detection });
  });
  for (const { detections } of groups) detections.sort((a, b) => b.detection.score - a.detection.score);
  return groups;
}

type Curve = Pick<VocClassScores, 'objects' | 'recall' | 'precision'>;

function curveOfClass({ objects, truths, detections }: ClassGroup, threshold: number, pixel: 0 | 1): Curve {
  const recall = new Float64Array(detections.length);
  const precision = new Float64Array(detections.length);
  let right = 0;
  let wrong = 0;
  detections.forEach(({ image, detection }, i) => {
    const [best, iou] = nearest(detection, truths.get(image) ?? [], pixel);
    if (best === undefined || iou < threshold) wrong++;
    else if (!isIgnored(best.object)) {
      if (best.matched) wrong++;
      else right++;
      best.matched = true;
    }
    recall[i] = objects === 0 ? 0 : right / objects;
    precision[i] = right === 0 ? 0 : right / (right + wrong);
  });
  return { objects, recall, precision };
}

function scoresOfCurve(curve: Curve, exactPoints: boolean): VocClassScores {
  if (curve.objects === 0) return { AP: null, AP11: null, ...curve };
  return { AP: areaUnderCurve(curve), AP11: elevenPoints(curve, exactPoints), ...curve };
}

/** The object that a detection overlaps most; the first of equal ones. */
function nearest(
  detection: FoundBox,
  candidates: readonly Candidate[],
  pixel: 0 | 1,
): [Candidate | undefined, number] {
  let best: Candidate | undefined;
  let most = -1;
  for (const candidate of candidates) {
    const iou = iouOfBoxes(detection, candidate.object, pixel);
    if (iou <= most) continue;
    most = iou;
    best = candidate;
  }
  return [best, most];
}

function mean(values: readonly (number | null)[]): number {
  const present = values.filter((v) => v !== null);
  return present.reduce((sum, v) => sum + v, 0) / present.length;
}
