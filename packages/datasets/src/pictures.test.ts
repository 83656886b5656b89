import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  labelMap,
  plainPng,
  rejection,
  rgbImage,
  sameBytes,
  temporaryFolder,
  writeFiles,
} from '../test/make-data.ts';
import { classPixels } from './class-pixels.ts';
import { ImageWriteError, OptionError } from './errors.ts';
import { openMaskFolder } from './mask-folder.ts';
import { colorizeMask, overlay } from './overlay.ts';
import { paletteColors } from './palette.ts';
import { decodePng } from './png/decode-png.ts';
import { readImage } from './read-image.ts';
import { writeMask, writePng } from './write-png.ts';

describe('paletteColors', () => {
  it('are distinct, in range, and the same whatever the count', () => {
    const colors = paletteColors(150);
    expect(new Set(colors.map(String)).size).toBe(150);
    expect(colors.flat().every((v) => Number.isInteger(v) && v >= 0 && v <= 255)).toBe(true);
    expect(paletteColors(7)).toEqual(colors.slice(0, 7));
  });

  it('tell the first twenty apart by eye: at least 50 of 255 in some channel', () => {
    const colors = paletteColors(20);
    for (const [i, a] of colors.entries()) {
      for (const b of colors.slice(i + 1))
        expect(Math.max(...a.map((v, c) => Math.abs(v - b[c]!)))).toBeGreaterThan(50);
    }
  });
});

const mask = labelMap(1, 3, (_, x) => [0, 1, 255][x]!);
const palette = [
  [200, 0, 0],
  [0, 100, 0],
] as const;

it('colorizeMask gives each label its colour and the others black', () => {
  expect([...colorizeMask(mask, palette).data]).toEqual([200, 0, 0, 0, 100, 0, 0, 0, 0]);
  expect([...colorizeMask(mask, palette, [9, 9, 9]).data.subarray(6)]).toEqual([9, 9, 9]);
  expect([...colorizeMask(mask).data.subarray(3, 6)]).toEqual([...paletteColors(2)[1]!]);
});

it('overlay blends colours over the image and leaves ignored pixels', () => {
  const image = rgbImage(1, 3, () => [100, 100, 100]);
  expect([...overlay(image, mask, 0.25, palette).data]).toEqual([125, 75, 75, 75, 100, 75, 100, 100, 100]);
  expect([...overlay(image, mask, 0, palette).data]).toEqual(Array(9).fill(100));
  expect(image.data[0]).toBe(100);
  expect(() =>
    overlay(
      rgbImage(3, 1, () => [0, 0, 0]),
      mask,
    ),
  ).toThrow(OptionError);
});

describe('writePng and writeMask', () => {
  it('write what can be read back', async () => {
    const folder = await temporaryFolder();
    const image = rgbImage(5, 7, (y, x) => [y * 50, x * 30, 7]);
    await writePng(join(folder, 'a.png'), image);
    expect(await readImage(join(folder, 'a.png'))).toEqual(image);
    await writePng(
      join(folder, 'a.png'),
      rgbImage(1, 1, () => [1, 2, 3]),
    ); // overwrites
    expect((await readImage(join(folder, 'a.png'))).width).toBe(1);
    expect(await readdir(folder)).toEqual(['a.png']);
  });

  it('write label maps as grey, palette and 16-bit PNG that openMaskFolder reads', async () => {
    const labels = labelMap(4, 6, (y, x) => (x === 5 ? 255 : y));
    const folder = await temporaryFolder();
    await writeFiles(folder, { 'images/a.png': plainPng(), 'images/b.png': plainPng() });
    await mkdir(join(folder, 'masks'));
    await writeMask(join(folder, 'masks/a.png'), labels);
    await writeMask(join(folder, 'masks/b.png'), labels, paletteColors(4));
    const set = await openMaskFolder(folder, { classes: ['a', 'b', 'c', 'd'] });
    for (const split of [set.split('train'), set.split('val')]) {
      expect(sameBytes((await split.load(0)).mask.data, labels.data)).toBe(true);
      expect(await classPixels(split, 4)).toEqual({ pixels: [5, 5, 5, 5], ignored: 4, images: [1, 1, 1, 1] });
    }
    const shown = await readImage(join(folder, 'masks/b.png'));
    expect([...shown.data.subarray(0, 3)]).toEqual([...paletteColors(1)[0]!]);
    await writeMask(
      join(folder, 'deep.png'),
      labelMap(1, 2, (_, x) => x * 4000),
    );
    expect([...(await decodePng(await readFile(join(folder, 'deep.png')), 'x')).data]).toEqual([0, 4000]);
  });

  it('leave nothing behind where writing fails, and say what to do', async () => {
    const folder = await temporaryFolder();
    await writeFiles(folder, { 'taken/x.txt': 'x' });
    const image = rgbImage(2, 2, () => [1, 2, 3]);
    const missing = await rejection(writePng(join(folder, 'no/a.png'), image));
    expect(missing).toBeInstanceOf(ImageWriteError);
    expect(missing.message).toContain('to do: create the folder first');
    const taken = await rejection(writePng(join(folder, 'taken'), image));
    expect(taken).toBeInstanceOf(ImageWriteError);
    expect(taken.message).toContain('to do: choose the name of a file, this is a folder');
    expect(await readdir(folder)).toEqual(['taken']);
    const label = await rejection(
      writeMask(
        join(folder, 'm.png'),
        labelMap(1, 1, () => -1),
      ),
    );
    expect(label).toBeInstanceOf(ImageWriteError);
  });
});
