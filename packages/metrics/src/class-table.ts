import type { SegmentationScores } from './scores.ts';

/**
 * The scores as a text table in per cent: one line a class and the means below, for a terminal or a log.
 *
 * @param names Name of each class, by class index; missing names are printed as `class N`.
 *
 * @example
 * ```ts
 * import { ConfusionMatrix, formatClassTable } from '@e3va/metrics';
 *
 * const matrix = new ConfusionMatrix(2);
 * matrix.add([0, 1, 1], [0, 1, 0]);
 * console.log(formatClassTable(matrix.result(), ['road', 'car']));
 * ```
 */
export function formatClassTable(scores: SegmentationScores, names: readonly string[] = []): string {
  const { iou, acc, dice } = scores.perClass;
  const rows = iou.map((v, c) => [names[c] ?? `class ${c}`, percent(v), percent(acc[c]!), percent(dice[c]!)]);
  const means = ['mean', percent(scores.mIoU), percent(scores.mAcc), percent(scores.mDice)];
  const table = [['class', 'IoU', 'Acc', 'Dice'], ...rows, means];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]!.length)));
  const line = (row: string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  const rule = widths.map((w) => '-'.repeat(w)).join('  ');
  return [
    line(table[0]!),
    rule,
    ...rows.map(line),
    rule,
    line(means),
    `all pixels: ${percent(scores.aAcc)} % right`,
  ].join('\n');
}

const percent = (value: number | null) =>
  value === null || Number.isNaN(value) ? '-' : (100 * value).toFixed(2);
