import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import { rejection } from '../../test/make-data.ts';
import { ImageDecodeError } from '../errors.ts';
import { decodePng, type PngImage } from './decode-png.ts';
import { encodePng } from './encode-png.ts';

/** R, G, B of each pixel as a viewer shows them, to compare with sharp. 16-bit samples keep their upper byte. */
function shown({ channels, colorType, bitDepth, data, palette }: PngImage): number[] {
  const eight = (v: number) => (bitDepth === 16 ? v >> 8 : (v * 255) / (2 ** bitDepth - 1));
  const pixels: number[] = [];
  for (let i = 0; i < data.length; i += channels) {
    const v = data[i]!;
    if (colorType === 3) pixels.push(...palette.subarray(3 * v, 3 * v + 3));
    else if (channels >= 3) pixels.push(eight(v), eight(data[i + 1]!), eight(data[i + 2]!));
    else pixels.push(eight(v), eight(v), eight(v));
  }
  return pixels;
}

async function expectAsSharp(bytes: Uint8Array, tolerance = 0): Promise<PngImage> {
  const png = await decodePng(bytes, 'test.png');
  const pipeline = sharp(bytes).removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' });
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true });
  expect([png.width, png.height]).toEqual([info.width, info.height]);
  const mine = shown(png);
  let worst = 0;
  for (let i = 0; i < mine.length; i++) worst = Math.max(worst, Math.abs(mine[i]! - data[i]!));
  expect(worst).toBeLessThanOrEqual(tolerance);
  return png;
}

/** A picture with gradients and edges, so that encoders use every row filter. */
const picture = (width: number, height: number, channels: 1 | 3 | 4) =>
  sharp(
    Buffer.from(
      Array.from({ length: width * height * channels }, (_, i) => {
        const [pixel, c] = [Math.floor(i / channels), i % channels];
        const [y, x] = [Math.floor(pixel / width), pixel % width];
        return (x * 7 + y * (3 + c) + (x > y ? 90 : 0) + (((x * y) % 13 === 0 ? 1 : 0) * 40 + c * 20)) & 255;
      }),
    ),
    { raw: { width, height, channels } },
  );

describe('decodePng', () => {
  const sizes = [
    [1, 1],
    [2, 3],
    [5, 4],
    [8, 8],
    [37, 29],
  ] as const;
  for (const [width, height] of sizes) {
    for (const progressive of [false, true]) {
      const name = `${width}x${height}${progressive ? ' Adam7' : ''}`;
      it(`reads grey, RGB and RGBA as sharp does: ${name}`, async () => {
        for (const channels of [1, 3, 4] as const) {
          const image = picture(width, height, channels);
          const grey = channels === 1 ? image.toColourspace('b-w') : image;
          await expectAsSharp(await grey.png({ progressive, adaptiveFiltering: true }).toBuffer());
        }
      });

      it(`reads palettes of 1, 2, 4 and 8 bits as indices: ${name}`, async () => {
        const depths = new Set<number>();
        for (const colours of [2, 4, 16, 256]) {
          const bytes = await picture(width, height, 3)
            .png({ palette: true, colours, progressive, dither: 0 })
            .toBuffer();
          const png = await expectAsSharp(bytes);
          if (png.colorType === 3) depths.add(png.bitDepth);
        }
        if (width === 37) expect([...depths]).toEqual([1, 2, 4, 8]);
      });

      it(`reads 16-bit grey and RGB: ${name}`, async () => {
        for (const channels of [1, 3] as const) {
          const samples = Uint16Array.from(
            { length: width * height * channels },
            (_, i) => (i * 4099) & 65535,
          );
          const space = channels === 1 ? 'grey16' : 'rgb16';
          const bytes = await sharp(samples, { raw: { width, height, channels } })
            .toColourspace(space)
            .png({ progressive })
            .toBuffer();
          const png = await decodePng(bytes, 'test.png');
          expect(png.bitDepth).toBe(16);
          expect([...png.data]).toEqual([...samples]);
        }
      });
    }
  }

  it('reads what encodePng writes, and so does sharp', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        async (w, h, s) => {
          const data = Array.from({ length: w * h }, (_, i) => (i * 37 + s) & 255);
          const palette = Uint8Array.from({ length: 768 }, (_, i) => (i * 5) & 255);
          for (const colorType of [0, 3] as const) {
            const bytes = encodePng({ width: w, height: h, bitDepth: 8, colorType, data, palette });
            const png = await expectAsSharp(bytes);
            expect([...png.data]).toEqual(data);
          }
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('decodePng refuses damaged files with a reason', () => {
  const good = encodePng({ width: 3, height: 2, bitDepth: 8, colorType: 0, data: [1, 2, 3, 4, 5, 6] });
  const changed = (at: number, value: number) => Uint8Array.from(good, (b, i) => (i === at ? value : b));
  /** The good file with other compressed rows. */
  const withRows = (rows: number[]) => {
    const whole = Buffer.from(encodePng({ width: 3, height: 2, bitDepth: 8, colorType: 0, data: Array(6) }));
    const body = deflateSync(Uint8Array.from(rows));
    const idat = Buffer.concat([Buffer.alloc(4), Buffer.from('IDAT'), body]);
    idat.writeUInt32BE(body.length);
    const { crc32 } = process.getBuiltinModule('node:zlib');
    const sum = Buffer.alloc(4);
    sum.writeUInt32BE(crc32(idat.subarray(4)));
    return Buffer.concat([whole.subarray(0, 33), idat, sum]);
  };

  it.each([
    ['it does not start as a PNG does', Buffer.from('not a picture')],
    ['it is cut short within its header', good.subarray(0, 20)],
    ['its size is 0x2', changed(19, 0)],
    ['colour type 1 with 8 bits does not exist', changed(25, 1)],
    ['colour type 0 with 3 bits does not exist', changed(24, 3)],
    ['it names an unknown method (1, 0, 0)', changed(26, 1)],
    ['the checksum of its IHDR chunk is wrong', changed(18, 1)],
    ['the checksum of its IDAT chunk is wrong', changed(45, good[45]! ^ 1)],
    ['it is cut short within its IDAT chunk', good.subarray(0, 48)],
    ['it holds no pixels', good.subarray(0, 33)],
    ['it is cut short: 4 of 8 bytes of pixels', withRows([0, 1, 2, 3])],
    ['it unpacks to more pixels than its size has', withRows(Array(5000).fill(0))],
    ['a row has an unknown filter', withRows([0, 1, 2, 3, 9, 1, 2, 3])],
  ])('%s', async (reason, bytes) => {
    const error = await rejection(decodePng(bytes, 'masks/a.png'));
    expect(error).toBeInstanceOf(ImageDecodeError);
    expect(error.message).toBe(
      `masks/a.png cannot be read as PNG: ${reason}\n  to do: export or download the file again`,
    );
  });

  it('accepts a file whose end chunk is missing but whose pixels are all there', async () => {
    const png = await decodePng(withRows([0, 1, 2, 3, 0, 4, 5, 6]), 'a.png');
    expect([...png.data]).toEqual([1, 2, 3, 4, 5, 6]);
  });
});

const odd = sharedData('odd-files');
describe.skipIf(!odd)('decodePng on the odd files', () => {
  it.each(['images/pil123p.png', 'images/hopper_bw_500.png', 'images/uncompressed_la.png'])(
    '%s',
    async (file) => {
      await expectAsSharp(readFileSync(`${odd}/${file}`));
    },
  );

  it.each(['made-index8.png', 'made-1bit.png', 'made-palette-permuted.png', 'made-antialiased.png'])(
    'masks/%s',
    async (file) => {
      await expectAsSharp(readFileSync(`${odd}/masks/${file}`));
    },
  );

  it.each(['truncated.png', 'truncated_image.png', 'broken_data_stream.png', 'made-zero-width.png'])(
    'images/%s is refused',
    async (file) => {
      const error = await rejection(decodePng(readFileSync(`${odd}/images/${file}`), file));
      expect(error).toBeInstanceOf(ImageDecodeError);
    },
  );
});
