import { polygonsToRle } from '@e3va/metrics';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { clipPolygon, outlineBox } from '../outline.ts';
import type { Box } from '../sample.ts';
import { shownBox } from './shown-box.ts';

/** Steps from left to right, each from one row to a lower one, both on whole pixels; neighbours share a row. */
const bands = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.nat(14), fc.nat(5)), { minLength: 1, maxLength: 6 })
  .map((steps) => {
    const [upper, lower]: [number[], number[]] = [[], []];
    let [x, from, to] = [0, 0, 20];
    for (const [width, start, more] of steps) {
      [from, to] = [Math.min(start, to - 1), Math.max(Math.min(start, to - 1) + 1 + more, from + 1)];
      upper.push(x, from, x + width, from);
      lower.unshift(x + width, to, x, to);
      x += width;
    }
    return [...upper, ...lower];
  });

const borders = fc
  .tuple(fc.nat(12), fc.nat(12), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }))
  .map(([x, y, width, height]): Box => [x, y, x + width, y + height]);

/** The box of the pixels of a polygon inside a border. */
function pixelBox(polygon: readonly number[], [x1, y1, x2, y2]: Box): Box | undefined {
  const size: [number, number] = [y2 - y1, x2 - x1];
  const moved = clipPolygon(polygon, [x1, y1, x2, y2]).map((v, i) => v - (i % 2 === 0 ? x1 : y1));
  if (moved.length < 6) return undefined;
  const [a, b, c, d] = outlineBox(polygonsToRle([moved], size));
  return c > a ? [a + x1, b + y1, c + x1, d + y1] : undefined;
}

const turned = (polygon: readonly number[]) => polygon.map((_, i) => polygon[i % 2 === 0 ? i + 1 : i - 1]!);

describe('shownBox', () => {
  it('is the box of the pixels that are left, for outlines of whole pixels', () => {
    let bridged = 0;
    fc.assert(
      fc.property(bands, borders, fc.boolean(), (band, border, turn) => {
        const polygon = turn ? turned(band) : band;
        const expected = pixelBox(polygon, border);
        expect(shownBox(polygon, border)).toEqual(expected);
        if (expected && `${outlineBox([clipPolygon(polygon, border)])}` !== `${expected}`) bridged++;
      }),
      { numRuns: 1000 },
    );
    expect(bridged).toBeGreaterThan(10);
  });

  const hook = [0, 0, 100, 0, 100, 100, 0, 100, 0, 80, 80, 80, 80, 20, 0, 20]; // arms above and below, a back at the right
  it.each([
    ['the upper arm', [10, 10, 70, 60], [10, 10, 70, 20]],
    ['both arms', [10, 10, 70, 90], [10, 10, 70, 90]],
    ['nothing, between the arms', [10, 25, 70, 75], undefined],
    ['nothing, along the arms and the back', [0, 20, 80, 80], undefined],
    ['the whole border, inside the back', [85, 30, 95, 60], [85, 30, 95, 60]],
    ['the outline, if it is inside', [-5, -5, 105, 105], [0, 0, 100, 100]],
    ['a corner', [90, 90, 120, 130], [90, 90, 100, 100]],
  ] as [string, Box, Box | undefined][])('sees %s', (_, border, expected) => {
    expect(shownBox(hook, border)).toEqual(expected);
  });
});
