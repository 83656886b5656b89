import { EvaluationOptionError } from '../errors.ts';
import type { CocoCurves } from './curves.ts';
import { type CocoFigures, type Figure, figures } from './figures.ts';
import { type CocoParams, cocoAreas } from './options.ts';

/** The figures of one class; `null` where it has no object that the figure is of. */
export interface CocoClassScores extends CocoFigures<number | null> {
  id: number;
  name: string;
}

/** What {@link cocoEvaluate} gives: figures in 0..1, or -1 where no class has an object that the figure is of. */
export interface CocoScores extends CocoFigures<number> {
  /** The twelve figures in the order of pycocotools, which is that of {@link CocoFigures}. */
  stats: number[];
  /** The figures of each class, in the order of the data set's classes. */
  perClass: CocoClassScores[];
  /** Precision over recall. */
  curves: CocoCurves;
  /** The parameters used. */
  params: CocoParams;
  /**
   * For each class the precisions at recall 0, 0.01 … 1 for one of the IoU thresholds, over all areas with the most
   * detections; `null` where the class has no object.
   *
   * @throws EvaluationOptionError if `iou` is none of the thresholds of the evaluation.
   */
  precisionAt(iou: number): (number | null)[][];
}

/** The figures of curves. */
export function scoresOfCurves(
  curves: CocoCurves,
  classes: readonly { id: number; name: string }[],
  params: CocoParams,
): CocoScores {
  const all = [...classes.keys()];
  const named = <Value>(value: (figure: Figure) => Value) =>
    Object.fromEntries(
      figures.map((figure) => [figure.name, value(figure)]),
    ) as unknown as CocoFigures<Value>;
  const means = named((figure) => meanOf(figure, curves, params, all) ?? -1);
  return {
    ...means,
    stats: figures.map(({ name }) => means[name]),
    perClass: classes.map(({ id, name }, k) => ({
      id,
      name,
      ...named((figure) => meanOf(figure, curves, params, [k])),
    })),
    curves,
    params,
    precisionAt: (iou) => precisionsAt(iou, curves, params),
  };
}

/** The mean of a figure's part of the curves, over what is not -1; `null` if that is nothing. */
function meanOf(
  { of, iou, area, most }: Figure,
  { shape, precision, recall }: CocoCurves,
  { iouThresholds, maxDetections }: CocoParams,
  classes: readonly number[],
): number | null {
  const m = typeof most === 'number' ? most : maxDetections.indexOf(most.detections);
  if (m < 0) return null;
  const a = Object.keys(cocoAreas).indexOf(area);
  const values = of === 'precision' ? precision : recall;
  const recalls = of === 'precision' ? shape.recallThresholds : 1;
  let sum = 0;
  let count = 0;
  iouThresholds.forEach((threshold, t) => {
    if (iou !== undefined && threshold !== iou) return;
    for (let r = 0; r < recalls; r++) {
      for (const k of classes) {
        const row = (t * recalls + r) * shape.classes + k;
        const value = values[(row * shape.areas + a) * shape.maxDetections + m]!;
        if (value < 0) continue;
        sum += value;
        count++;
      }
    }
  });
  return count === 0 ? null : sum / count;
}

function precisionsAt(
  iou: number,
  { shape, precision }: CocoCurves,
  params: CocoParams,
): (number | null)[][] {
  const t = params.iouThresholds.findIndex((threshold) => Math.abs(threshold - iou) < 1e-9);
  if (t < 0) {
    throw new EvaluationOptionError({
      what: 'the evaluation has no such IoU threshold',
      expected: `one of ${params.iouThresholds.map((v) => Number(v.toFixed(9))).join(', ')}`,
      received: `${iou}`,
    });
  }
  const { recallThresholds, classes, areas, maxDetections } = shape;
  return Array.from({ length: classes }, (_, k) =>
    Array.from({ length: recallThresholds }, (_, r) => {
      const row = (t * recallThresholds + r) * classes + k;
      const value = precision[row * areas * maxDetections + maxDetections - 1]!;
      return value < 0 ? null : value;
    }),
  );
}
