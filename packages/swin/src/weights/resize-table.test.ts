import { describe, expect, it } from 'vitest';
import { readFixture } from '../../test/helpers.ts';
import { tableResize } from './resize-table.ts';

describe('tableResize', () => {
  const { tensors } = readFixture('bias_table_resize');
  const table = tensors.get('w4')!;

  it.each([
    [2, 'w2_timm'],
    [7, 'w7_timm'],
  ])('window 4 to %i equals timm', (window, name) => {
    const expected = tensors.get(name)!;
    const { accepts, apply } = tableResize(window, 4);
    expect(accepts(table.shape)).toBe(true);
    const resized = apply(table);
    expect(resized.length).toBe(expected.data.length);
    resized.forEach((value, i) => {
      expect(Math.abs(value - expected.data[i]!)).toBeLessThan(1e-5);
    });
  });

  it.each([[[49, 3]], [[48, 4]], [[16, 4]], [[49]], [[]]])('refuses a table of shape %j', (shape) => {
    expect(tableResize(7, 4).accepts(shape)).toBe(false);
  });
});
