import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelMap, rgbImage } from '../../test/make-data.ts';
import { bilinear, cropImage, cropMask, resizeImage, resizeMask } from './resample.ts';

interface Tensor {
  shape: [number, number, number, number];
  data: number[];
}
const fixture = new URL('../../test/fixtures/resize.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as {
  cases: { name: string; in: Tensor; out: Tensor }[];
};

/** `[1, channels, height, width]` as interleaved rows. */
function interleaved({ shape: [, channels, height, width], data }: Tensor): Float32Array {
  const area = height * width;
  return Float32Array.from(
    { length: data.length },
    (_, i) => data[(i % channels) * area + Math.floor(i / channels)]!,
  );
}

describe('bilinear equals torch', () => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', (_, c) => {
    const [, channels, height, width] = c.in.shape;
    const [, , outHeight, outWidth] = c.out.shape;
    const out = new Float32Array(c.out.data.length);
    const whole = { top: 0, left: 0, height: outHeight, width: outWidth };
    bilinear({ width, height, data: interleaved(c.in) }, channels, [outHeight, outWidth], whole, out);
    const expected = interleaved(c.out);
    for (let i = 0; i < out.length; i++) expect(Math.abs(out[i]! - expected[i]!)).toBeLessThan(1e-5);
  });
});

const side = fc.integer({ min: 1, max: 12 });
const random = (y: number, x: number) => (y * 131 + x * 71 + x * x * y * 17) % 251;
const image = (h: number, w: number) =>
  rgbImage(h, w, (y, x) => [random(y, x), random(x, y), random(y + 3, x)]);
const mask = (h: number, w: number) => labelMap(h, w, (y, x) => random(y, x) % 7);

describe('resizeImage and resizeMask', () => {
  it('compute a window as they compute the whole', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.nat(), (h, w, toH, toW, n) => {
        const top = n % toH;
        const left = n % toW;
        const window = { top, left, height: toH - top, width: Math.max(1, (toW - left) >> 1) };
        expect(resizeImage(image(h, w), [toH, toW], window)).toEqual(
          cropImage(resizeImage(image(h, w), [toH, toW]), window),
        );
        expect(resizeMask(mask(h, w), [toH, toW], window)).toEqual(
          cropMask(resizeMask(mask(h, w), [toH, toW]), window),
        );
      }),
    );
  });

  it('take for each label pixel the source pixel whose area holds its centre', () => {
    fc.assert(
      fc.property(side, side, side, side, (h, w, toH, toW) => {
        const source = mask(h, w);
        const result = resizeMask(source, [toH, toW]);
        for (let y = 0; y < toH; y++) {
          for (let x = 0; x < toW; x++) {
            const [sy, sx] = [(y + 0.5) * (h / toH), (x + 0.5) * (w / toW)].map((v) => Math.floor(v + 1e-9));
            expect(result.data[y * toW + x]).toBe(source.data[sy! * w + sx!]);
          }
        }
      }),
    );
  });

  it('keep a picture of their own size and never share its memory', () => {
    const source = image(5, 4);
    const same = resizeImage(source, [5, 4]);
    expect(same).toEqual(source);
    expect(same.data.buffer).not.toBe(source.data.buffer);
  });

  it('round to the nearest byte', () => {
    const two = { width: 2, height: 1, data: Uint8Array.of(0, 0, 0, 255, 10, 3) };
    // Weights of the right pixel at four output pixels: 0, 0.25, 0.75, 1.
    expect([...resizeImage(two, [1, 4]).data]).toEqual([0, 0, 0, 64, 2, 1, 191, 8, 2, 255, 10, 3]);
  });
});
