import { decodeRle, encodeRle, polygonsToRle } from '@e3va/metrics';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rgbImage } from '../../../test/make-data.ts';
import { rng } from '../../rng.ts';
import type { Box, DetectionObject, DetectionSample, DetectionTransform } from '../sample.ts';
import { targetsOf } from '../targets.ts';
import { composeDetection, detectionAugmentation } from './augmentation.ts';
import { flipObjects } from './flip.ts';
import { minIouCrop } from './min-iou-crop.ts';
import { mosaicOf } from './mosaic.ts';
import { detectionInput, resizeShortSide } from './resize.ts';

/** An image whose bright rectangles are its objects, with the outline as polygon and, a second time, as mask. */
function drawn(height: number, width: number, boxes: Box[]): DetectionSample {
  const inside = (x: number, y: number, [x1, y1, x2, y2]: Box) => x >= x1 && x < x2 && y >= y1 && y < y2;
  const image = rgbImage(height, width, (y, x) => {
    const v = boxes.some((box) => inside(x, y, box)) ? 255 : 0;
    return [v, v, v];
  });
  const objects = boxes.flatMap((box, label): DetectionObject[] => {
    const [x1, y1, x2, y2] = box;
    const polygon = [x1, y1, x2, y1, x2, y2, x1, y2];
    const bits = Uint8Array.from({ length: height * width }, (_, i) =>
      inside(i % width, Math.floor(i / width), box) ? 1 : 0,
    );
    const common = { label, crowd: false, difficult: false };
    return [
      { ...common, box: [...box], segmentation: [polygon] },
      { ...common, box: [...box], segmentation: encodeRle(bits, [height, width]) },
    ];
  });
  return { name: 'a', image, objects };
}

const rectangles = fc.record({
  height: fc.integer({ min: 40, max: 90 }),
  width: fc.integer({ min: 40, max: 90 }),
  at: fc.array(
    fc.tuple(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.double({ min: 0, max: 0.5, noNaN: true })),
    {
      minLength: 1,
      maxLength: 1,
    },
  ),
  seed: fc.nat(1000),
});

function sampleOf({
  height,
  width,
  at,
}: {
  height: number;
  width: number;
  at: [number, number][];
}): DetectionSample {
  return drawn(
    height,
    width,
    at.map(([u, v]): Box => {
      const [x1, y1] = [Math.round(u * width), Math.round(v * height)];
      return [x1, y1, x1 + Math.round(width * 0.4), y1 + Math.round(height * 0.4)];
    }),
  );
}

/** The box of the bright pixels. */
function brightBox({ image }: DetectionSample): Box {
  const box: Box = [image.width, image.height, 0, 0];
  for (let i = 0; i < image.width * image.height; i++) {
    if (image.data[3 * i]! < 128) continue;
    const [x, y] = [i % image.width, Math.floor(i / image.width)];
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x + 1);
    box[3] = Math.max(box[3], y + 1);
  }
  return box;
}

const all: DetectionTransform = composeDetection([
  minIouCrop(),
  resizeShortSide({ shortSide: [30, 55], maxSide: 80 }),
  flipObjects(),
]);

describe('transforms of detection', () => {
  it('keep boxes tight around what they mark, and inside the image', () => {
    fc.assert(
      fc.property(rectangles, (given) => {
        const sample = all(sampleOf(given), rng(given.seed, 0, 0));
        const bright = brightBox(sample);
        for (const { box } of sample.objects) {
          box.forEach((edge, k) => {
            expect(Math.abs(edge - bright[k]!)).toBeLessThanOrEqual(1);
          });
          expect(Math.min(...box)).toBeGreaterThanOrEqual(0);
          expect(box[2]).toBeLessThanOrEqual(sample.image.width);
          expect(box[3]).toBeLessThanOrEqual(sample.image.height);
        }
      }),
    );
  });

  it('move polygons and masks alike', () => {
    fc.assert(
      fc.property(rectangles, (given) => {
        const { image, objects } = all(sampleOf(given), rng(given.seed, 0, 0));
        const [polygon, mask] = objects.map(({ segmentation }) =>
          decodeRle(
            Array.isArray(segmentation)
              ? polygonsToRle(segmentation, [image.height, image.width])
              : segmentation!,
          ),
        );
        const shared = polygon!.reduce((sum, v, i) => sum + (v & mask![i]!), 0);
        const either = polygon!.reduce((sum, v, i) => sum + (v | mask![i]!), 0);
        if (either > 150) expect(shared / either).toBeGreaterThan(0.8);
      }),
    );
  });

  it('are the same for the same random numbers, and write nothing into what they get', () => {
    const sample = sampleOf({ height: 60, width: 80, at: [[0.2, 0.3]] });
    const before = structuredClone(sample);
    const augment = detectionAugmentation({ shortSide: [40, 50], photometric: true, minIouCrop: true });
    const [a, b] = [augment(sample, rng(3, 1, 2)), augment(sample, rng(3, 1, 2))];
    expect(a).toEqual(b);
    expect(sample).toEqual(before);
  });

  it('mirror back what was mirrored', () => {
    const sample = sampleOf({ height: 41, width: 57, at: [[0.1, 0.2]] });
    const twice = composeDetection([flipObjects(1), flipObjects(1)])(sample, rng(0, 0, 0));
    expect(twice.image).toEqual(sample.image);
    expect(twice.objects.map(({ box }) => box)).toEqual(sample.objects.map(({ box }) => box));
    expect(twice.objects[1]!.segmentation).toEqual(sample.objects[1]!.segmentation);
  });

  it('resize to the short side, but never beyond the long one', () => {
    const image = rgbImage(480, 640, () => [0, 0, 0]);
    const small = (shortSide: number, maxSide?: number) => {
      const { image: out, scale } = detectionInput(image, { shortSide, ...(maxSide && { maxSide }) });
      return [out.height, out.width, scale];
    };
    expect(small(800)).toEqual([800, 1067, 1067 / 640]);
    expect(small(800, 900)).toEqual([675, 900, 900 / 640]);
    expect(small(480)).toEqual([480, 640, 1]);
    expect(() => small(0)).toThrow(/sides to resize to are out of range/);
  });

  it('leave images without objects as they are, and objects that are cut away out', () => {
    const empty = { ...sampleOf({ height: 40, width: 40, at: [[0, 0]] }), objects: [] };
    expect(minIouCrop()(empty, rng(0, 0, 0))).toBe(empty);
    expect(all(empty, rng(1, 0, 0)).objects).toEqual([]);
    const sample = drawn(100, 100, [
      [0, 0, 20, 20],
      [80, 80, 100, 100],
    ]);
    const counts = Array.from({ length: 40 }, (_, i) => minIouCrop()(sample, rng(7, 0, i)).objects.length);
    expect(new Set(counts)).toContain(2);
    expect(Math.max(...counts)).toBe(4);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });
});

describe('mosaicOf', () => {
  it('puts four samples together, their boxes on what they mark', async () => {
    const dark = drawn(60, 60, []);
    const bright = sampleOf({ height: 50, width: 70, at: [[0.3, 0.3]] });
    for (let seed = 0; seed < 20; seed++) {
      const four = await mosaicOf(bright, 1, async () => dark, rng(seed, 0, 0));
      expect([four.image.height, four.image.width]).toEqual([50, 70]);
      const found = brightBox(four);
      for (const { box } of four.objects) {
        box.forEach((edge, k) => {
          expect(Math.abs(edge - found[k]!)).toBeLessThanOrEqual(1.5);
        });
      }
    }
    const mixed = await mosaicOf(dark, 1, async () => bright, rng(1, 0, 0));
    expect(mixed.objects.length).toBeGreaterThan(2);
  });
});

describe('targetsOf', () => {
  it('gives boxes, labels, what is ignored, and masks of the padded size', () => {
    const { objects } = drawn(10, 12, [[2, 3, 6, 8]]);
    const difficult = { ...objects[0]!, difficult: true };
    const { segmentation: _, ...bare } = objects[0]!;
    const { boxes, labels, crowd, masks } = targetsOf([objects[0]!, objects[1]!, difficult, bare], [16, 16]);
    expect([...boxes.subarray(0, 4)]).toEqual([2, 3, 6, 8]);
    expect([...labels]).toEqual([0, 0, 0, 0]);
    expect([...crowd]).toEqual([0, 0, 1, 0]);
    const expected = Uint8Array.from({ length: 256 }, (_, i) => {
      const [x, y] = [i % 16, i >> 4];
      return x >= 2 && x < 6 && y >= 3 && y < 8 ? 1 : 0;
    });
    for (let i = 0; i < 4; i++) expect(masks!.data.subarray(i * 256, (i + 1) * 256)).toEqual(expected);
    expect(targetsOf(objects).masks).toBeUndefined();
  });
});
