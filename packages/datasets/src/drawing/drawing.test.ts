import { encodeRle } from '@e3va/metrics';
import { describe, expect, it } from 'vitest';
import { rgbImage } from '../../test/make-data.ts';
import type { DetectionSplit } from '../detection/sample.ts';
import { contactSheet } from './contact-sheet.ts';
import { drawDetections } from './draw-detections.ts';

const grey = () => rgbImage(60, 80, () => [100, 100, 100]);
const at = (image: { width: number; data: Uint8Array }, x: number, y: number) => [
  ...image.data.subarray(3 * (y * image.width + x), 3 * (y * image.width + x) + 3),
];

describe('drawDetections', () => {
  it('draws the box in the colour of its class, and leaves the rest and the image it got alone', async () => {
    const image = grey();
    const found = [{ box: [20, 20, 60, 50] as [number, number, number, number], label: 1, score: 0.5 }];
    const drawn = await drawDetections(image, found, {
      classes: ['a', 'b'],
      colors: [
        [255, 0, 0],
        [0, 0, 255],
      ],
    });
    expect([drawn.width, drawn.height]).toEqual([80, 60]);
    const [red, , blue] = at(drawn, 40, 50);
    expect(blue! - red!).toBeGreaterThan(60);
    expect(at(drawn, 40, 35)).toEqual([100, 100, 100]);
    expect(image).toEqual(grey());
  });

  it('lays masks over, polygons or run lengths', async () => {
    const bits = new Uint8Array(60 * 80).fill(1, 0, 80 * 10);
    const object = { box: [0, 0, 80, 10] as [number, number, number, number], label: 0 };
    const colors = [[200, 0, 0]] as const;
    for (const outline of [
      { mask: encodeRle(bits, [60, 80]) },
      { segmentation: [[0, 0, 80, 0, 80, 10, 0, 10]] },
    ]) {
      const drawn = await drawDetections(grey(), [{ ...object, ...outline }], { classes: ['a'], colors });
      expect(at(drawn, 70, 5)).toEqual([150, 50, 50]);
      expect(at(drawn, 70, 40)).toEqual([100, 100, 100]);
    }
  });

  it('shows names as text, whatever they hold', async () => {
    const names = ['</text><image href="file:///etc/passwd"/>', 'a\u0000&"\'<', '\ud800'];
    const found = names.map((_, label) => ({
      box: [5, 5, 40, 40] as [number, number, number, number],
      label,
    }));
    const drawn = await drawDetections(grey(), found, { classes: names });
    expect(drawn.data.length).toBe(60 * 80 * 3);
  });
});

describe('contactSheet', () => {
  it('shows images side by side, an empty split too', async () => {
    const split = (length: number): DetectionSplit => ({
      length,
      names: [],
      info: () => ({ name: 'a', file: 'a.png', width: 80, height: 60, imageId: 1, objects: [] }),
      load: async () => ({ name: 'a', image: grey(), objects: [] }),
    });
    const sheet = await contactSheet(split(5), { classes: [], count: 3, columns: 2, side: 100 });
    expect([sheet.width, sheet.height]).toEqual([2 * 106 + 6, 2 * 106 + 6]);
    expect(at(sheet, 10, 10)).toEqual([100, 100, 100]);
    expect(at(sheet, 2, 2)).toEqual([245, 245, 245]);
    expect((await contactSheet(split(0), { classes: [] })).width).toBeGreaterThan(0);
  });
});
