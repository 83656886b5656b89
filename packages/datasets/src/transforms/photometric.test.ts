import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelMap } from '../../test/make-data.ts';
import { rng } from '../rng.ts';
import type { RgbImage } from '../sample.ts';
import { distort, photometricDistortion } from './photometric.ts';

const none = { add: 0, early: 1, saturate: 1, turn: 0, late: 1 };
const one = (r: number, g: number, b: number): RgbImage => ({
  width: 1,
  height: 1,
  data: Uint8Array.of(r, g, b),
});
const of = (rgb: [number, number, number], change: Partial<typeof none>) => [
  ...distort(one(...rgb), { ...none, ...change }).data,
];

/** Saturation and hue by the textbook conversion to HSV and back. */
function slowHsv([r, g, b]: number[], saturate: number, turn: number): number[] {
  const [max, min] = [Math.max(r!, g!, b!), Math.min(r!, g!, b!)];
  const delta = max - min;
  let hue = 0;
  if (delta > 0 && max === r) hue = 60 * ((g! - b!) / delta);
  else if (delta > 0 && max === g) hue = 60 * ((b! - r!) / delta) + 120;
  else if (delta > 0) hue = 60 * ((r! - g!) / delta) + 240;
  const s = Math.min(1, (max === 0 ? 0 : delta / max) * saturate);
  const h = (hue + turn + 720) % 360;
  const c = max * s;
  const x = c * (1 - Math.abs(((h / 60) % 2) - 1));
  const sector = [
    [c, x, 0],
    [x, c, 0],
    [0, c, x],
    [0, x, c],
    [x, 0, c],
    [c, 0, x],
  ][Math.floor(h / 60)]!;
  return sector.map((v) => v + max - c);
}

describe('distort', () => {
  it('changes nothing by neutral factors', () => {
    expect(of([3, 100, 255], {})).toEqual([3, 100, 255]);
  });

  it('adds brightness and multiplies contrast, clipping after each', () => {
    expect(of([10, 100, 250], { add: 20 })).toEqual([30, 120, 255]);
    expect(of([10, 100, 250], { add: -20 })).toEqual([0, 80, 230]);
    expect(of([10, 100, 200], { early: 1.5 })).toEqual([15, 150, 255]);
    expect(of([10, 100, 250], { add: 20, early: 0.5 })).toEqual([15, 60, 128]); // 250 + 20 is clipped to 255 first
    expect(of([10, 100, 250], { add: 20, late: 0.5 })).toEqual([15, 60, 128]);
  });

  it('changes saturation and hue as HSV does', () => {
    const channel = fc.integer({ min: 0, max: 255 });
    const factor = fc.double({ min: 0.5, max: 1.5, noNaN: true });
    const angle = fc.double({ min: -180, max: 180, noNaN: true });
    fc.assert(
      fc.property(channel, channel, channel, factor, angle, (r, g, b, saturate, turn) => {
        const expected = slowHsv([r, g, b], saturate, turn);
        of([r, g, b], { saturate, turn }).forEach((v, c) => {
          expect(Math.abs(v - expected[c]!)).toBeLessThan(0.51);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('turns red to yellow by 60 degrees and leaves grey grey', () => {
    expect(of([255, 0, 0], { turn: 60 })).toEqual([255, 255, 0]);
    expect(of([90, 90, 90], { turn: 77, saturate: 1.4 })).toEqual([90, 90, 90]);
  });
});

describe('photometricDistortion', () => {
  const grey = { name: 'a', image: one(100, 100, 100), mask: labelMap(1, 1, () => 0) };
  const results = Array.from(
    { length: 4000 },
    (_, i) => photometricDistortion()(grey, rng(0, 0, i)).image.data[0]!,
  );

  it('does nothing to one sixteenth, and keeps to its ranges', () => {
    // Saturation and hue show nothing on grey: unchanged are those with neither brightness nor contrast, a quarter.
    const same = results.filter((v) => v === 100).length / results.length;
    expect(Math.abs(same - 0.25)).toBeLessThan(0.04);
    expect(Math.max(...results)).toBeLessThanOrEqual(198); // (100 + 32) * 1.5
    expect(Math.max(...results)).toBeGreaterThan(180);
    expect(Math.min(...results)).toBeGreaterThanOrEqual(34); // (100 - 32) * 0.5
    expect(Math.min(...results)).toBeLessThan(45);
    const untouched = Array.from(
      { length: 4000 },
      (_, i) => photometricDistortion()(grey, rng(1, 0, i)) === grey,
    );
    expect(Math.abs(untouched.filter(Boolean).length / 4000 - 1 / 16)).toBeLessThan(0.02);
  });

  it('turns the hue by at most its angle', () => {
    const red = { ...grey, image: one(200, 0, 0) };
    const hueOnly = photometricDistortion({ brightness: 0, contrast: [1, 1], saturation: [1, 1], hue: 30 });
    const seen = Array.from({ length: 500 }, (_, i) => [...hueOnly(red, rng(0, 0, i)).image.data]);
    expect(seen.every(([r, g, b]) => r === 200 && (g === 0 || b === 0) && g! <= 100 && b! <= 100)).toBe(true);
    expect(Math.max(...seen.map(([, g]) => g!))).toBeGreaterThan(90);
    expect(Math.max(...seen.map(([, , b]) => b!))).toBeGreaterThan(90);
  });
});
