import {
  type DetectionFolder,
  type DetectionObject,
  detectionInput,
  imageTensor,
  type RgbImage,
} from '@e3va/datasets';
import { type Detection, rescaleDetections } from '@e3va/det-heads';
import { type CocoDetection, type CocoScores, cocoEvaluate, vocEvaluate } from '@e3va/metrics';
import * as tf from '@tensorflow/tfjs-core';
import { DivergedError } from '../errors.ts';
import type { TaskScores } from '../task.ts';
import type { DetectionModel, DetectionModelRecipe } from './detection-model.ts';

/** The short and the long side that images are resized to where no training changes them. */
function inputSides({ train, eval: evaluation }: Pick<DetectionModelRecipe, 'train' | 'eval'>): {
  shortSide: number;
  maxSide: number;
} {
  const sides = [train.shortSide].flat();
  return {
    shortSide: evaluation.shortSide ?? Math.max(...sides),
    maxSide: evaluation.maxSide ?? train.maxSide,
  };
}

/**
 * The objects in an image, best first, in pixels of the image.
 *
 * @throws {@link DivergedError} if the model's outputs are not finite.
 */
export async function detectImage(model: DetectionModel, image: RgbImage): Promise<Detection[]> {
  const { image: resized, scale } = detectionInput(image, inputSides(model.recipe));
  const { width, height } = resized;
  const padded = tf.tidy(() => {
    const [bottom, right] = [height, width].map((side) => (32 - (side % 32)) % 32) as [number, number];
    return tf.pad(imageTensor(resized), [
      [0, 0],
      [0, bottom],
      [0, right],
      [0, 0],
    ]) as tf.Tensor4D;
  });
  const [found] = await model.detect(padded, [{ height, width }]);
  padded.dispose();
  if (found!.every(({ box, score }) => Number.isFinite(score) && box.every(Number.isFinite))) {
    return rescaleDetections(found!, scale, image);
  }
  throw new DivergedError({
    what: 'the model gives boxes or scores that are not finite',
    fix: 'its weights diverged in training: use an earlier checkpoint, or train with a lower learning rate',
  });
}

/** The objects in every image of a split, in order. */
async function detectSplit(
  model: DetectionModel,
  folder: DetectionFolder,
  split: string,
): Promise<Detection[][]> {
  const samples = folder.split(split as 'val');
  const found: Detection[][] = [];
  for (let i = 0; i < samples.length; i++)
    found.push(await detectImage(model, (await samples.load(i)).image));
  return found;
}

/** Detections as the results file of COCO has them. */
export function cocoResults(
  found: readonly (readonly Detection[])[],
  imageIds: readonly (number | string)[],
  categoryIds: readonly number[],
): CocoDetection[] {
  return found.flatMap((detections, i) =>
    detections.map(({ box: [x1, y1, x2, y2], score, label, mask }) => ({
      image_id: imageIds[i]!,
      category_id: categoryIds[label]!,
      bbox: [x1, y1, x2 - x1, y2 - y1] as [number, number, number, number],
      score,
      ...(mask && { segmentation: mask }),
    })),
  );
}

/** What an evaluation of detections gives: the scores, and what they were made from. */
export interface DetectionEvaluation {
  /** The objects found in each image. */
  found: Detection[][];
  /** COCO's scores by boxes. */
  boxes: CocoScores;
  /** COCO's scores by masks, of a model that finds them. */
  masks?: CocoScores;
  /** The scores that the recipe asks for. */
  scores: TaskScores;
}

/** Scores a detection model on a split, at the images' own size: COCO's AP of boxes and masks, or VOC's AP. */
export async function evaluateDetections(
  model: DetectionModel,
  folder: DetectionFolder,
  split: string,
): Promise<DetectionEvaluation> {
  const found = await detectSplit(model, folder, split);
  const samples = folder.split(split as 'val');
  const ids = found.map((_, i) => samples.info(i).imageId);
  const truth = folder.toCoco(split as 'val');
  const results = cocoResults(found, ids, folder.categoryIds);
  const boxes = cocoEvaluate(truth, results, { iouType: 'bbox' });
  if (model.recipe.eval.metric === 'voc') {
    const truths = found.map((_, i) => samples.info(i).objects);
    return { found, boxes, scores: vocScores(truths, found, folder.classes.length) };
  }
  if (!model.hasMasks) return { found, boxes, scores: taskScores({ box: boxes }) };
  const outlines = results.map(({ bbox: _, ...result }) => result); // with a box, that would decide what is small
  const masks = cocoEvaluate(truth, outlines, { iouType: 'segm' });
  return { found, boxes, masks, scores: taskScores({ mask: masks, box: boxes }) };
}

const figures = ['AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR100'] as const;

/** COCO's scores under the names `mask AP`, `box AP50` …; the first kind decides. */
function taskScores(kinds: Record<string, CocoScores>): TaskScores {
  const all = Object.entries(kinds);
  const named = (figure: (typeof figures)[number]) =>
    all
      .filter(([, scores]) => figure === 'AP' || scores[figure] >= 0) // -1: there is nothing of that size
      .map(([kind, scores]) => [`${kind} ${figure}`, Math.max(0, scores[figure])] as const);
  return {
    metric: `${all[0]![0]} AP`,
    scores: Object.fromEntries(figures.flatMap(named)),
    perClass: Object.fromEntries(
      (['AP', 'AP50'] as const).flatMap((figure) =>
        all.map(([kind, { perClass }]) => [`${kind} ${figure}`, perClass.map((scores) => scores[figure])]),
      ),
    ),
  };
}

/** VOC's scores: the mean AP by the area under the curve decides, the one by eleven points stands beside it. */
function vocScores(
  truths: readonly (readonly DetectionObject[])[],
  found: readonly (readonly Detection[])[],
  classes: number,
): TaskScores {
  const { mAP, mAP11, perClass } = vocEvaluate(truths, found, { classes });
  const known = (value: number) => (Number.isNaN(value) ? 0 : value);
  return {
    metric: 'mAP',
    scores: { mAP: known(mAP), 'mAP by 11 points': known(mAP11) },
    perClass: { AP: perClass.map(({ AP }) => AP), 'AP by 11 points': perClass.map(({ AP11 }) => AP11) },
  };
}
