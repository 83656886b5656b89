import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../tests/support/shared-data.ts';
import { encoded, rejection, rgbImage, temporaryFolder, writeFiles } from '../test/make-data.ts';
import { ImageDecodeError, ImageTooLargeError } from './errors.ts';
import { encodePng } from './png/encode-png.ts';
import { decodeImage, readImage, readImageSize } from './read-image.ts';
import type { RgbImage } from './sample.ts';

/** Four quarters: red, green, blue, white; 12 pixels high and 20 wide. */
const quarters = rgbImage(12, 20, (y, x) =>
  y < 6 ? (x < 10 ? [255, 0, 0] : [0, 255, 0]) : x < 10 ? [0, 0, 255] : [255, 255, 255],
);
const asSharp = ({ width, height, data }: RgbImage) => sharp(data, { raw: { width, height, channels: 3 } });

function pixel({ width, data }: RgbImage, y: number, x: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

function expectNear(actual: number[], expected: number[], tolerance: number) {
  for (const [i, v] of actual.entries()) expect(Math.abs(v - expected[i]!)).toBeLessThanOrEqual(tolerance);
}

describe('readImage', () => {
  it.each(['png', 'webp', 'tiff', 'avif', 'gif', 'jpeg'] as const)(
    'reads %s, whatever the extension',
    async (format) => {
      const options = {
        tiff: { compression: 'lzw' },
        jpeg: { quality: 100, chromaSubsampling: '4:4:4' },
      }[format as string] ?? { lossless: true };
      const folder = await temporaryFolder();
      await writeFiles(folder, { 'a.txt': await asSharp(quarters)[format](options).toBuffer() });
      const image = await readImage(join(folder, 'a.txt'));
      expect([image.height, image.width, image.data.length]).toEqual([12, 20, 720]);
      expectNear(pixel(image, 2, 3), [255, 0, 0], format === 'jpeg' || format === 'avif' ? 6 : 0);
      expectNear(pixel(image, 9, 3), [0, 0, 255], format === 'jpeg' || format === 'avif' ? 6 : 0);
    },
  );

  /** Where the stored top left quarter (red) is shown: top/left for each EXIF orientation. */
  const shown: Record<number, [boolean, boolean]> = {
    1: [true, true],
    2: [true, false],
    3: [false, false],
    4: [false, true],
    5: [true, true],
    6: [true, false],
    7: [false, false],
    8: [false, true],
  };
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('turns EXIF orientation %i upright', async (orientation) => {
    const bytes = await asSharp(quarters).withMetadata({ orientation }).jpeg({ quality: 100 }).toBuffer();
    const image = await decodeImage(bytes, 'a.jpg');
    const [top, left] = shown[orientation]!;
    expect([image.height, image.width]).toEqual(orientation < 5 ? [12, 20] : [20, 12]);
    expectNear(pixel(image, top ? 1 : image.height - 2, left ? 1 : image.width - 2), [255, 0, 0], 6);
    const folder = await temporaryFolder();
    await writeFiles(folder, { 'a.jpg': bytes });
    expect(await readImageSize(join(folder, 'a.jpg'))).toEqual({ width: image.width, height: image.height });
    const stored = await readImage(join(folder, 'a.jpg'), { autoOrient: false });
    expect([stored.height, stored.width]).toEqual([12, 20]);
    expectNear(pixel(stored, 1, 1), [255, 0, 0], 6);
    expect(await readImageSize(join(folder, 'a.jpg'), { autoOrient: false })).toEqual({
      width: 20,
      height: 12,
    });
  });

  it('makes grey, CMYK and 16-bit images 8-bit RGB', async () => {
    const grey = await decodeImage(await asSharp(quarters).greyscale().png().toBuffer(), 'grey.png');
    expect(new Set(pixel(grey, 9, 15))).toEqual(new Set([255]));
    const cmyk = await decodeImage(
      await asSharp(quarters).toColourspace('cmyk').jpeg().toBuffer(),
      'cmyk.jpg',
    );
    expect([cmyk.width, cmyk.data.length]).toEqual([20, 720]);
    expectNear(pixel(cmyk, 9, 15), [255, 255, 255], 6);
    const deep = encodePng({
      width: 1,
      height: 1,
      bitDepth: 16,
      colorType: 2,
      data: [0x1234, 0x8081, 0xffff],
    });
    expectNear(pixel(await decodeImage(deep, 'deep.png'), 0, 0), [0x12, 0x80, 0xff], 1);
  });

  it('drops transparency without blending', async () => {
    const png = encodePng({
      width: 2,
      height: 1,
      bitDepth: 8,
      colorType: 6,
      data: [9, 8, 7, 0, 100, 50, 25, 128],
    });
    expect([...(await decodeImage(png, 'a.png')).data]).toEqual([9, 8, 7, 100, 50, 25]);
  });

  it('converts a profile to sRGB: full green of Display P3 is not sRGB full green', async () => {
    const green = rgbImage(2, 2, () => [60, 200, 60]);
    const tagged = await asSharp(green).withIccProfile('p3').png().toBuffer();
    expectNear(pixel(await decodeImage(tagged, 'p3.png'), 0, 0), [60, 200, 60], 2); // converted there and back
    const { data: stored } = await sharp(tagged, {})
      .keepIccProfile()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(Math.abs(stored[0]! - 60)).toBeGreaterThan(10); // the stored numbers differ
  });

  it('takes the first frame of an animation', async () => {
    const frames = Buffer.concat([Buffer.alloc(48, 255), Buffer.alloc(48, 0)]);
    const gif = await sharp(frames, { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } })
      .gif({ delay: [50, 50] })
      .toBuffer();
    expect((await sharp(gif, { animated: true }).metadata()).pages).toBe(2);
    const image = await decodeImage(gif, 'a.gif');
    expect([image.width, image.height, pixel(image, 0, 0)]).toEqual([4, 4, [255, 255, 255]]);
  });
});

describe('readImage refuses', () => {
  it('an image with too many pixels, by its header', async () => {
    const folder = await temporaryFolder();
    const huge = Uint8Array.from(encodePng({ width: 1, height: 1, bitDepth: 8, colorType: 0, data: [0] }));
    const header = new DataView(huge.buffer);
    header.setUint32(16, 60000);
    header.setUint32(20, 60000);
    header.setUint32(29, process.getBuiltinModule('node:zlib').crc32(huge.subarray(12, 29)));
    await writeFiles(folder, { 'huge.png': huge, 'small.png': encoded(quarters) });
    const file = join(folder, 'huge.png');
    const error = await rejection(readImage(file));
    expect(error).toBeInstanceOf(ImageTooLargeError);
    expect(error.message).toBe(
      `${file} is too large to be decoded\n  expected: at most 100000000 pixels\n` +
        '  received: 60000x60000 = 3600000000 pixels, by its header\n' +
        '  to do: cut or shrink the image, or raise maxPixels if the memory suffices',
    );
    expect(await rejection(readImageSize(file))).toBeInstanceOf(ImageTooLargeError);
    const small = join(folder, 'small.png');
    expect(await rejection(readImage(small, { maxPixels: 239 }))).toBeInstanceOf(ImageTooLargeError);
    expect((await readImage(small, { maxPixels: 240 })).width).toBe(20);
  });

  it('what is no image, with the reason', async () => {
    const folder = await temporaryFolder();
    const jpeg = await encoded(quarters, 'jpeg');
    const png = await encoded(rgbImage(64, 64, (y, x) => [(x * y) & 255, (x * 31) & 255, (y * 17) & 255]));
    await writeFiles(folder, {
      'empty.jpg': '',
      'pointer.jpg': 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n',
      'text.jpg': '<html>404</html>',
      'cut.jpg': jpeg.subarray(0, jpeg.length - 40),
      'cut.png': png.subarray(0, png.length >> 1),
      'drawing.png': '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>',
    });
    const reasons: Record<string, RegExp> = {
      'empty.jpg': /empty\.jpg is an empty file\n {2}to do: copy or download it again$/,
      'pointer.jpg': /pointer\.jpg is a Git LFS pointer, not the image itself\n {2}to do: run `git lfs pull`/,
      'text.jpg':
        /text\.jpg cannot be decoded\n {2}expected: a whole JPEG, .*\n {2}received: .*unsupported image format/,
      'cut.jpg': /received: .*premature end of JPEG image/,
      'cut.png': /cut\.png cannot be decoded\n.*\n {2}received: .*read error/,
      'drawing.png': /has the format svg, which is not read\n {2}expected: JPEG/,
      'missing.jpg': /missing\.jpg cannot be read: ENOENT/,
    };
    for (const [name, reason] of Object.entries(reasons)) {
      const error = await rejection(readImage(join(folder, name)));
      expect(error, name).toBeInstanceOf(ImageDecodeError);
      expect(error.message).toMatch(reason);
    }
  });
});

interface Expected {
  width: number;
  height: number;
  decodes: boolean | string | undefined;
  oriented_width: number;
  oriented_height: number;
  mean_rgb: number[];
}
const odd = sharedData('odd-files');
describe.skipIf(!odd)('readImage on the odd images', () => {
  const text = odd ? readFileSync(`${odd}/images-expected.json`, 'utf8') : '{"images":{}}';
  const expected = (JSON.parse(text) as { images: Record<string, Expected> }).images;

  /** Where the result differs from Pillow's for a good reason. */
  const otherColors: Record<string, string> = {
    'Landscape_6.jpg': 'the profile is applied',
    'p3.png': 'the profile is applied',
    'prophoto.png': 'the profile is applied',
    'pil_sample_cmyk.jpg': 'CMYK by a profile, not by the plain formula',
  };
  const accepted: Record<string, string> = {
    'png_decompression_dos.png': 'the bomb is in a text chunk, which is never unpacked',
    'unknown_compression_method.png': 'only the colour profile is unreadable; the pixels are whole',
  };
  const refused: Record<string, string> = {
    'broken_data_stream.png': 'damaged after the pixels; not worth a guess',
  };
  const tooLarge = ['65536-uint32-limit.png', 'giant-image.jpg'];

  it('covers the whole folder', async () => {
    expect((await readdir(`${odd}/images`)).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(Object.keys(expected))('%s', async (name) => {
    const file = `${odd}/images/${name}`;
    const e = expected[name]!;
    if (tooLarge.includes(name)) {
      expect(await rejection(readImage(file))).toBeInstanceOf(ImageTooLargeError);
      expect(await rejection(readImageSize(file))).toBeInstanceOf(ImageTooLargeError);
      return;
    }
    if (name in refused || (e.decodes !== true && !(name in accepted))) {
      expect(await rejection(readImage(file))).toBeInstanceOf(ImageDecodeError);
      return;
    }
    const image = await readImage(file);
    expect(image.data.length).toBe(image.width * image.height * 3);
    expect(await readImageSize(file)).toEqual({ width: image.width, height: image.height });
    if (name in accepted) return;
    expect([image.width, image.height]).toEqual([e.oriented_width, e.oriented_height]);
    const mean = [0, 1, 2].map((c) => {
      let sum = 0;
      for (let i = c; i < image.data.length; i += 3) sum += image.data[i]!;
      return sum / (image.width * image.height);
    });
    const tolerance = name in otherColors ? 30 : 0.3;
    expectNear(mean, e.mean_rgb, tolerance);
  });

  it('shows every EXIF orientation of the same picture alike', async () => {
    const first = await readImage(`${odd}/images/hopper_orientation_3.jpg`);
    for (const n of [4, 5, 7]) {
      const other = await readImage(`${odd}/images/hopper_orientation_${n}.jpg`);
      let sum = 0;
      for (let i = 0; i < first.data.length; i++) sum += Math.abs(first.data[i]! - other.data[i]!);
      expect(sum / first.data.length).toBeLessThan(8); // a wrong turn gives more than 40
    }
  });

  it('reads bytes as well as files', async () => {
    const bytes = await readFile(`${odd}/images/made-jpeg-named.png`);
    expect((await decodeImage(bytes, 'x')).width).toBe(60);
  });
});
