/**
 * Scores of semantic segmentation, each in 0..1.
 *
 * A class that occurs in neither prediction nor label has no score: its entries are `null` and the means leave it
 * out. The accuracy of a class that occurs in no label is `null` too. Where nothing at all was counted, a mean is `NaN`.
 */
export interface SegmentationScores {
  /** Mean of the intersection over union of the classes. */
  mIoU: number;
  /** Share of all counted pixels that are predicted right. */
  aAcc: number;
  /** Mean over the classes of the share of their pixels that are predicted right (recall). */
  mAcc: number;
  /** Mean of the Dice coefficient (F1) of the classes. */
  mDice: number;
  /** The scores of each class, by class index. */
  perClass: ClassScores;
}

/** Scores by class index; `null` where a class has none. */
export interface ClassScores {
  /** TP / (TP + FP + FN). */
  iou: (number | null)[];
  /** TP / (TP + FN). */
  acc: (number | null)[];
  /** 2 TP / (2 TP + FP + FN). */
  dice: (number | null)[];
}

/**
 * The scores of a confusion matrix.
 *
 * @param counts Row-major `[classes, classes]`: row = class of the label, column = class of the prediction.
 */
export function scoresOf(counts: ArrayLike<number>, classes: number): SegmentationScores {
  const perClass: ClassScores = { iou: [], acc: [], dice: [] };
  let right = 0;
  let total = 0;
  for (let c = 0; c < classes; c++) {
    const hits = counts[c * classes + c]!;
    let labelled = 0;
    let predicted = 0;
    for (let k = 0; k < classes; k++) {
      labelled += counts[c * classes + k]!;
      predicted += counts[k * classes + c]!;
    }
    perClass.iou.push(ratio(hits, labelled + predicted - hits));
    perClass.acc.push(ratio(hits, labelled));
    perClass.dice.push(ratio(2 * hits, labelled + predicted));
    right += hits;
    total += labelled;
  }
  return {
    mIoU: mean(perClass.iou),
    aAcc: right / total,
    mAcc: mean(perClass.acc),
    mDice: mean(perClass.dice),
    perClass,
  };
}

const ratio = (part: number, whole: number) => (whole === 0 ? null : part / whole);

function mean(values: (number | null)[]): number {
  const present = values.filter((v) => v !== null);
  return present.reduce((sum, v) => sum + v, 0) / present.length;
}
