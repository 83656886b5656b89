import { encodeRle } from '@e3va/metrics';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import { rgbImage } from '../../test/make-data.ts';
import { boundsOf, boxed, memorySplit } from '../../test/make-objects.ts';
import type { Rgb } from '../color-map.ts';
import { openDetectionFolder } from '../detection/detection-folder.ts';
import type { Box } from '../detection/sample.ts';
import { OptionError } from '../errors.ts';
import type { RgbImage } from '../sample.ts';
import { contactSheet } from './contact-sheet.ts';
import { drawDetections } from './draw-detections.ts';
import { letterOf } from './font.ts';
import { shrinkImage } from './shrink.ts';
import { textHeight, textPicture } from './text.ts';

const grey = (height = 60, width = 80) => rgbImage(height, width, () => [100, 100, 100]);
const at = ({ width, data }: RgbImage, x: number, y: number) => [
  ...data.subarray(3 * (y * width + x)).subarray(0, 3),
];
const colors: Rgb[] = [
  [200, 0, 0],
  [0, 0, 250],
];
const classes = ['cat', 'dog'];
const draw = (
  image: RgbImage,
  objects: Parameters<typeof drawDetections>[1],
  labels?: 'all' | 'apart' | 'none',
) => drawDetections(image, objects, { classes, colors, ...(labels && { labels }) });

/** The box of the pixels of a colour. */
const boundsOfColor = ({ width, height, data }: RgbImage, [r, g, b]: Rgb) =>
  boundsOf(width, width * height, (i) => data[3 * i] === r && data[3 * i + 1] === g && data[3 * i + 2] === b);

describe('drawDetections', () => {
  it('draws the frame on the pixels of the box, and leaves the rest and the image it got alone', async () => {
    const image = grey();
    const drawn = await draw(image, [boxed([20, 21.4, 60, 50.6], { label: 1 })], 'none');
    expect(boundsOfColor(drawn, colors[1]!)).toEqual([20, 21, 60, 51]);
    for (let y = 0; y < 60; y++) {
      for (let x = 0; x < 80; x++) {
        const inside = x >= 20 && x < 60 && y >= 21 && y < 51;
        const inner = x >= 21 && x < 59 && y >= 22 && y < 50;
        expect(at(drawn, x, y)).toEqual(inside && !inner ? [0, 0, 250] : [100, 100, 100]);
      }
    }
    expect(image).toEqual(grey());
  });

  it('keeps frames in sight that reach beyond the image, and those of less than a pixel', async () => {
    const drawn = await draw(grey(), [boxed([-1e9, -5, 1e9, 70])], 'none');
    expect(boundsOfColor(drawn, colors[0]!)).toEqual([0, 0, 80, 60]);
    const dot = await draw(grey(), [boxed([30.2, 40.2, 30.4, 40.4])], 'none');
    expect(boundsOfColor(dot, colors[0]!)).toEqual([30, 40, 31, 41]);
    const gone = await draw(grey(), [boxed([Number.NaN, 0, 4, 4])], 'all');
    expect(gone.data.length).toBe(grey().data.length);
  });

  it('dashes the frames of crowds and of what is hard to see', async () => {
    for (const change of [{ crowd: true }, { difficult: true }]) {
      const drawn = await draw(grey(), [boxed([10, 20, 50, 50], change)], 'none');
      const top = Array.from({ length: 39 }, (_, i) => at(drawn, 10 + i, 20)[0] === 200);
      expect(top.filter(Boolean).length).toBe(20);
    }
  });

  it('lays masks over, polygons or run lengths, with a rim', async () => {
    const bits = new Uint8Array(60 * 80).fill(1, 0, 80 * 10);
    const box: Box = [0, 0, 80, 10];
    for (const outline of [
      { mask: encodeRle(bits, [60, 80]) },
      { segmentation: encodeRle(bits, [60, 80]) },
      { segmentation: [[0, 0, 80, 0, 80, 10, 0, 10]] },
    ]) {
      const drawn = await drawDetections(grey(), [{ box, label: 0, ...outline }], {
        classes,
        colors,
        labels: 'none',
      });
      expect(at(drawn, 70, 5)).toEqual([140, 60, 60]);
      expect(at(drawn, 70, 9)).toEqual([200, 0, 0]);
      expect(at(drawn, 70, 40)).toEqual([100, 100, 100]);
    }
    const other = { box, label: 0, mask: encodeRle(bits, [80, 60]) };
    await expect(draw(grey(), [other])).rejects.toThrow(OptionError);
    await expect(draw(grey(), [other])).rejects.toThrow(/expected: 80x60\n {2}received: 60x80/);
  });

  it('writes name and score above the frame, or inside where there is no room', async () => {
    const labelOf = async (box: Box, score?: number) => {
      const bare = await draw(grey(), [{ box, label: 1 }], 'none');
      const named = await draw(grey(), [{ box, label: 1, ...(score !== undefined && { score }) }]);
      return boundsOf(
        80,
        4800,
        (i) => at(bare, i % 80, Math.floor(i / 80)).join() !== at(named, i % 80, Math.floor(i / 80)).join(),
      );
    };
    const name = (await textPicture('dog', 1)).width + 4;
    expect(await labelOf([20, 21, 60, 50])).toEqual([20, 9, 20 + name, 21]);
    const withScore = (await textPicture('dog 0.98', 1)).width + 4;
    expect(await labelOf([20, 21, 60, 50], 0.976)).toEqual([20, 9, 20 + withScore, 21]);
    expect(await labelOf([20, 5, 60, 50])).toEqual([21, 6, 20 + name, 17]); // on the frame's own lines nothing changes
    expect((await labelOf([70, 21, 80, 50]))![2]).toBe(80);
  });

  it('has the best on top and moves names apart, or leaves out those that have no place', async () => {
    const box: Box = [20, 30, 50, 50];
    const crossing = [
      { box, label: 0, score: 0.2 },
      { box, label: 1, score: 0.9 },
    ];
    expect(at(await draw(grey(), crossing, 'none'), 30, 30)).toEqual([0, 0, 250]);
    const many = Array.from({ length: 6 }, (_, i) => ({ box, label: 0, score: i / 10 }));
    const changed = async (labels: 'all' | 'apart') => {
      const drawn = await draw(grey(), many, labels);
      return boundsOf(80, 4800, (i) => at(drawn, i % 80, Math.floor(i / 80)).join() !== '100,100,100')!;
    };
    expect(await changed('apart')).toEqual(await changed('all')); // above, inside, below; further ones cover these
    const one = await draw(grey(), many.slice(5), 'all');
    const three = await draw(grey(), many, 'apart');
    expect(at(one, 22, 20)).toEqual([200, 0, 0]);
    expect(at(three, 22, 52)).toEqual([200, 0, 0]);
    expect(at(one, 22, 52)).toEqual([100, 100, 100]);
  });

  it('shows names as text, whatever they hold', async () => {
    const names = ['</span><span size="999999">', 'a\u0000&"\'<', '\ud800', '细胞 <b>', 'ж'.repeat(500), ''];
    const found = names.map((_, label) => boxed([5, 15, 40, 40], { label }));
    const drawn = await drawDetections(grey(), found, { classes: names });
    expect(drawn.data.length).toBe(60 * 80 * 3);
    expect(
      (await drawDetections(grey(), [boxed([5, 15, 40, 40], { label: 7 })], { classes: [] })).width,
    ).toBe(80);
  });
});

describe('textPicture', () => {
  it('has every printable letter, each unlike the others', () => {
    const letters = Array.from({ length: 95 }, (_, i) => letterOf(String.fromCharCode(32 + i)));
    expect(new Set(letters.map((letter) => letter!.rows.join())).size).toBe(95);
    for (const letter of letters) expect(letter!.width).toBeGreaterThanOrEqual(1);
    for (const other of ['é', '猫', '', 'ab', '\n', '\x7f']) expect(letterOf(other)).toBeUndefined();
  });

  it('draws an l as it is, larger by whole pixels', async () => {
    const { width, height, data } = await textPicture('l', 1);
    expect([width, height]).toEqual([2, 9]);
    expect(Array.from(data, (v) => v / 255)).toEqual([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0]);
    const large = await textPicture('l', 3);
    expect([large.width, large.height]).toEqual([6, 27]);
    for (let i = 0; i < large.data.length; i++) {
      expect(large.data[i]).toBe(data[Math.floor(i / 18) * 2 + Math.floor((i % 6) / 3)]);
    }
  });

  it('drops accents, and asks the fonts of the system for other letters', async () => {
    expect(await textPicture('Zoë', 2)).toEqual(await textPicture('Zoe', 2));
    const other = await textPicture('ж', 2); // where there is no font, a question mark
    expect(other.height).toBe(textHeight(2));
    expect(other.data.some((v) => v > 0)).toBe(true);
    expect(other.data.length).toBe(other.width * other.height);
    expect(await textPicture('\ud800', 2)).toEqual(await textPicture('?', 2));
  });
});

it('shrinkImage averages, so that fine stripes become grey', () => {
  const stripes = rgbImage(41, 66, (_, x) => (x % 2 === 0 ? [200, 100, 0] : [0, 100, 200]));
  const small = shrinkImage(stripes, [10, 16]);
  expect([small.height, small.width, small.data.length]).toEqual([10, 16, 480]);
  for (const v of small.data) expect(v).toBe(100);
  const same = shrinkImage(stripes, [41, 66]);
  expect(same.data).toEqual(stripes.data);
});

describe('contactSheet', () => {
  const samples = Array.from({ length: 5 }, (_, i) => ({
    name: `image ${i}`,
    image: rgbImage(i === 4 ? 200 : 60, i === 4 ? 100 : 80, () => [40 * i, 100, 100]),
    objects: [boxed([20, 30, 60, 50])],
  }));

  it('shows images in rows, with names below and objects where they are', async () => {
    const sheet = await contactSheet(memorySplit(samples), {
      classes: ['cat'],
      colors,
      columns: 2,
      side: 100,
    });
    expect([sheet.width, sheet.height]).toEqual([2 * 106 + 6, 2 * (60 + 15 + 6) + (100 + 15 + 6) + 6]);
    expect(at(sheet, 2, 2)).toEqual([245, 245, 245]);
    const corners = [0, 1, 2, 3].map((i) => at(sheet, 6 + 106 * (i % 2), 6 + 81 * Math.floor(i / 2)));
    expect(corners).toEqual([0, 1, 2, 3].map((i) => [40 * i, 100, 100]));
    expect(at(sheet, 6 + 20, 6 + 30)).toEqual([200, 0, 0]);
    expect(at(sheet, 6 + 10, 168 + 15)).toEqual([200, 0, 0]); // the last is shown at half its size
    const written = boundsOf(sheet.width, sheet.width * 80, (i) => {
      const y = Math.floor(i / sheet.width);
      return y >= 66 && sheet.data[3 * i] === 40;
    });
    expect(written![0]).toBe(6);
  });

  it('spreads a few evenly over the split, and can show none', async () => {
    const asked: number[] = [];
    const split = memorySplit(samples);
    const noted = { ...split, load: (i: number) => split.load(i).finally(() => asked.push(i)) };
    await contactSheet(noted, { classes: [], count: 2 });
    expect(asked).toEqual([0, 2]);
    expect((await contactSheet(memorySplit([]), { classes: [] })).width).toBeGreaterThan(0);
    await expect(contactSheet(split, { classes: [], columns: 0 })).rejects.toThrow(OptionError);
  });

  const root = sharedData('detection');
  it.skipIf(!root).each(['bccd', 'nuclei', 'coco-sample'])('shows real data: %s', async (name) => {
    const folder = await openDetectionFolder(`${root}/${name}`);
    const { classes } = folder;
    const sheet = await contactSheet(folder.split('train'), { classes, count: 4, columns: 2, side: 160 });
    expect(sheet.width).toBe(2 * 166 + 6);
    expect(sheet.height).toBeGreaterThan(200);
  });
});
