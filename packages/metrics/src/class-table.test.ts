import { expect, it } from 'vitest';
import { ConfusionMatrix, formatClassTable } from './index.ts';

it('prints one line a class, a dash for a class without a score, and the means', () => {
  const matrix = new ConfusionMatrix(3);
  matrix.add([0, 1, 1, 1], [0, 1, 0, 1]);
  expect(formatClassTable(matrix.result(), ['road', 'pavement'])).toBe(
    [
      'class       IoU     Acc   Dice',
      '--------  -----  ------  -----',
      'road      50.00   50.00  66.67',
      'pavement  66.67  100.00  80.00',
      'class 2       -       -      -',
      '--------  -----  ------  -----',
      'mean      58.33   75.00  73.33',
      'all pixels: 75.00 % right',
    ].join('\n'),
  );
});
