/** Recall and precision with each detection added, surest first. */
export interface PrecisionCurve {
  recall: ArrayLike<number>;
  precision: ArrayLike<number>;
}

/** The area under precision over recall, each precision raised to the highest at its recall or beyond. */
export function areaUnderCurve({ recall, precision }: PrecisionCurve): number {
  let area = 0;
  let highest = 0;
  for (let i = recall.length - 1; i >= 0; i--) {
    highest = Math.max(highest, precision[i]!);
    area += (recall[i]! - (recall[i - 1] ?? 0)) * highest;
  }
  return area;
}

/**
 * The mean of the highest precisions from recall 0, 0.1 … 1 on.
 *
 * @param exact Whether 0.3, 0.6 and 0.7 are these numbers, or the next ones above, as multiples of 0.1 are in binary.
 */
export function elevenPoints({ recall, precision }: PrecisionCurve, exact: boolean): number {
  let sum = 0;
  for (let i = 0; i <= 10; i++) {
    const point = exact ? i / 10 : i * 0.1;
    let highest = 0;
    for (let at = 0; at < recall.length; at++) {
      if (recall[at]! >= point) highest = Math.max(highest, precision[at]!);
    }
    sum += highest;
  }
  return sum / 11;
}
