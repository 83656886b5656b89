import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../tests/support/shared-data.ts';
import {
  greyPng,
  labelMap,
  plainPng,
  rejection,
  sameBytes,
  temporaryFolder,
  writeFiles,
} from '../test/make-data.ts';
import { type ColorMap, parseColorMap } from './color-map.ts';
import {
  ClassNamesError,
  ClassRangeError,
  ImageDecodeError,
  ImageTooLargeError,
  MaskFormatError,
} from './errors.ts';
import type { MaskCoding } from './mask-coding.ts';
import { encodePng } from './png/encode-png.ts';
import { readMask } from './read-mask.ts';

function coding(classes: number, colorMap?: ColorMap, ids = [...Array(classes).keys()]): MaskCoding {
  const labels = new Int32Array(65536).fill(-1);
  labels[255] = 255;
  ids.forEach((value, label) => {
    labels[value] = label;
  });
  return { classes, ignoreIndex: 255, labels, colors: colorMap && parseColorMap(colorMap) };
}

async function maskFile(bytes: Uint8Array | Promise<Uint8Array>): Promise<string> {
  const folder = await temporaryFolder();
  await writeFiles(folder, { 'mask.png': bytes });
  return join(folder, 'mask.png');
}

const rgb = (colors: number[][], width: number) =>
  encodePng({ width, height: colors.length / width, bitDepth: 8, colorType: 2, data: colors.flat() });
const [red, green, blue] = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
];

describe('readMask', () => {
  it('reads 8-bit grey', async () => {
    const mask = await readMask(
      await maskFile(greyPng(labelMap(2, 3, (y, x) => (x === 2 ? 255 : y)))),
      coding(2),
    );
    expect(mask).toEqual({ width: 3, height: 2, data: Int32Array.of(0, 0, 255, 1, 1, 255) });
  });

  it('reads the index of a palette, not its colour', async () => {
    const palette = Uint8Array.of(9, 9, 9, 200, 0, 0, 0, 0, 0);
    const png = encodePng({ width: 3, height: 1, bitDepth: 8, colorType: 3, data: [2, 0, 1], palette });
    expect([...(await readMask(await maskFile(png), coding(3))).data]).toEqual([2, 0, 1]);
  });

  it('reads the colour of a palette by a colour map', async () => {
    const palette = Uint8Array.of(...red!, ...green!, ...blue!);
    const png = encodePng({ width: 3, height: 1, bitDepth: 8, colorType: 3, data: [2, 0, 1], palette });
    const mask = await readMask(await maskFile(png), coding(3, { '#0000ff': 0, '#ff0000': 1, '#00FF00': 2 }));
    expect([...mask.data]).toEqual([0, 1, 2]);
  });

  it('reads 16-bit grey with large sparse values', async () => {
    const png = encodePng({ width: 3, height: 1, bitDepth: 16, colorType: 0, data: [1000, 40000, 255] });
    expect([...(await readMask(await maskFile(png), coding(2, undefined, [1000, 40000]))).data]).toEqual([
      0, 1, 255,
    ]);
  });

  it('reads 1-bit masks as 0 and 1', async () => {
    const data = Buffer.from([0, 255, 255, 0, 255, 0, 0, 0, 0]);
    const png = await sharp(data, { raw: { width: 9, height: 1, channels: 1 } })
      .toColourspace('b-w')
      .png({ palette: true, colours: 2 })
      .toBuffer();
    expect(png[24]).toBe(1); // bits
    const labels = [...(await readMask(await maskFile(png), coding(2))).data];
    const first = labels[0]!;
    expect(labels.map((v) => v ^ first)).toEqual([0, 1, 1, 0, 1, 0, 0, 0, 0]);
  });

  it('reads RGB, RGBA and grey by a colour map', async () => {
    const map = coding(3, [
      [[255, 0, 0], 0],
      ['0,255,0', 1],
      ['#0000ff', 2],
      ['#ffffff', 255],
    ]);
    const mask = await readMask(await maskFile(rgb([red!, green!, blue!, [255, 255, 255]], 2)), map);
    expect([...mask.data]).toEqual([0, 1, 2, 255]);
    const rgba = encodePng({ width: 1, height: 1, bitDepth: 8, colorType: 6, data: [0, 0, 255, 3] });
    expect([...(await readMask(await maskFile(rgba), map)).data]).toEqual([2]);
    const grey = await readMask(await maskFile(greyPng(labelMap(1, 1, () => 255))), map);
    expect([...grey.data]).toEqual([255]);
  });

  it('ignores the alpha channel of grey masks', async () => {
    const png = encodePng({ width: 2, height: 1, bitDepth: 8, colorType: 4, data: [1, 77, 0, 78] });
    expect([...(await readMask(await maskFile(png), coding(2))).data]).toEqual([1, 0]);
  });
});

describe('readMask refuses', () => {
  it('a value out of range: which, where, how often, and what to do', async () => {
    const file = await maskFile(
      greyPng(labelMap(4, 5, (y, x) => (y === 2 && x > 1 ? 11 : y === 3 ? 200 + x : 0))),
    );
    const error = await rejection(readMask(file, coding(11)));
    expect(error).toBeInstanceOf(ClassRangeError);
    expect((error as ClassRangeError).details).toEqual({ file, value: 11, pixels: 3, row: 2, column: 2 });
    expect(error.message).toBe(
      `${file} holds the value 11, which is no class\n` +
        '  expected: a value of one of the 11 classes, or one that is ignored\n' +
        '  received: 11 in 3 of 20 pixels, first at row 2, column 2; also 200, 201, 202, 203, 204\n' +
        '  to do: pass ignoreIndex: 11 if it marks unlabelled pixels; reduceZeroLabel: true if 0 means unlabelled and ' +
        'classes start at 1; classes: { value: name, … } if the values are ids with gaps; colorMap if the palette or the ' +
        'grey level, not the index, names the class',
    );
  });

  it('a colour that is not in the colour map', async () => {
    const file = await maskFile(rgb([red!, blue!, blue!, green!], 2));
    const error = await rejection(readMask(file, coding(1, { '#ff0000': 0 })));
    expect(error).toBeInstanceOf(ClassRangeError);
    expect((error as ClassRangeError).details).toEqual({
      file,
      value: '#0000ff',
      pixels: 2,
      row: 0,
      column: 1,
    });
    expect(error.message).toContain(
      'received: #0000ff in 2 of 4 pixels, first at row 0, column 1; also #00ff00',
    );
    expect(error.message).toContain("to do: add '#0000ff' to colorMap");
  });

  it('RGB without a colour map, and lists the colours', async () => {
    const error = await rejection(
      readMask(await maskFile(rgb([red!, green!, green!, [1, 2, 3]], 2)), coding(3)),
    );
    expect(error).toBeInstanceOf(MaskFormatError);
    expect(error.message).toContain('received: the colours #00ff00, #ff0000, #010203');
    expect(error.message).toContain("to do: pass colorMap, for example { '#00ff00': 0, … }");
  });

  it('a JPEG, whatever its name', async () => {
    const jpeg = sharp(await plainPng()).jpeg();
    const error = await rejection(readMask(await maskFile(await jpeg.toBuffer()), coding(2)));
    expect(error).toBeInstanceOf(MaskFormatError);
    expect(error.message).toContain(
      'is a JPEG: its compression smears class values over the borders of the classes',
    );
  });

  it('other formats, damaged files and masks above the pixel limit', async () => {
    const webp = await sharp(await plainPng())
      .webp()
      .toBuffer();
    expect(await rejection(readMask(await maskFile(webp), coding(2)))).toBeInstanceOf(MaskFormatError);
    const png = greyPng(labelMap(5, 5, () => 0));
    expect(await rejection(readMask(await maskFile(png.subarray(0, 50)), coding(2)))).toBeInstanceOf(
      ImageDecodeError,
    );
    expect(await rejection(readMask(await maskFile(png), coding(2), 24))).toBeInstanceOf(ImageTooLargeError);
  });

  it.each([
    [{ red: 0 }, 'received: "red": 0'],
    [{ '#ff0000': -1 }, 'received: "#ff0000": -1'],
    [{ '300,0,0': 1 }, 'received: "300,0,0": 1'],
    [
      [
        ['#ff0000', 0],
        [[255, 0, 0], 1],
      ],
      'the colour map gives #ff0000 two values',
    ],
  ])('the colour map %j', (map, text) => {
    expect(() => parseColorMap(map as ColorMap)).toThrow(ClassNamesError);
    expect(() => parseColorMap(map as ColorMap)).toThrow(text);
  });
});

const odd = sharedData('odd-files');
describe.skipIf(!odd)('readMask on the odd masks', () => {
  const mask = (name: string, how = coding(9)) => readMask(`${odd}/masks/${name}`, how);
  const greyMap: ColorMap = Array.from({ length: 256 }, (_, v) => [[v, v, v], v] as const);

  it('16-bit and palette masks equal the 8-bit reference', async () => {
    const reference = await mask('made-index8.png');
    expect(new Set(reference.data)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8, 255]));
    const same16 = coding(9);
    same16.labels[65535] = 255;
    expect(sameBytes((await mask('made-16bit.png', same16)).data, reference.data)).toBe(true);
    const thousands = coding(
      9,
      undefined,
      [...Array(9).keys()].map((c) => c * 1000),
    );
    thousands.labels[65535] = 255;
    expect(sameBytes((await mask('made-16bit-large.png', thousands)).data, reference.data)).toBe(true);
    const permuted = await mask('made-palette-permuted.png', coding(9, greyMap));
    expect(sameBytes(permuted.data, reference.data)).toBe(true);
  });

  it('void, 1-bit and blended masks', async () => {
    expect(new Set((await mask('made-all-void.png')).data)).toEqual(new Set([255]));
    expect(new Set((await mask('made-1bit.png', coding(2))).data)).toEqual(new Set([0, 1]));
    const error = await rejection(mask('made-antialiased.png'));
    expect(error).toBeInstanceOf(ClassRangeError);
    expect(await rejection(mask('made-jpeg.jpg'))).toBeInstanceOf(MaskFormatError);
  });
});
