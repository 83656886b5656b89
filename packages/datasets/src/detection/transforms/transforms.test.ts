import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rgbImage, sameBytes } from '../../../test/make-data.ts';
import { boundsOf, boxed, brightBox, drawnSample, maskOf, outlineOf } from '../../../test/make-objects.ts';
import { OptionError } from '../../errors.ts';
import { rng } from '../../rng.ts';
import { compose } from '../../transforms/compose.ts';
import { outlineBox } from '../outline.ts';
import type { Box, DetectionObject, DetectionSample, DetectionTransform } from '../sample.ts';
import { detectionAugmentation } from './augmentation.ts';
import { cropSample } from './crop.ts';
import { flipObjects } from './flip.ts';
import { minIouCrop } from './min-iou-crop.ts';
import { mosaicOf } from './mosaic.ts';
import { randomObjectCrop } from './random-object-crop.ts';
import { detectionInput, resizeShortSide } from './resize.ts';

/** A rectangle or something round somewhere in an image: made in the test, so that a counterexample is short. */
const shapes = fc.record({
  height: fc.integer({ min: 60, max: 110 }),
  width: fc.integer({ min: 60, max: 110 }),
  corners: fc.constantFrom(4, 32),
  place: fc.tuple(fc.nat(1000), fc.nat(1000)),
  share: fc.tuple(fc.integer({ min: 300, max: 700 }), fc.integer({ min: 300, max: 700 })),
  seed: fc.nat(100000),
});

type Shape = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

function sampleOf({ height, width, corners, place, share }: Shape) {
  const [w, h] = [Math.round((width * share[0]) / 1000), Math.round((height * share[1]) / 1000)];
  const [x, y] = [Math.round(((width - w) * place[0]) / 1000), Math.round(((height - h) * place[1]) / 1000)];
  return drawnSample(height, width, outlineOf([x, y, x + w, y + h], corners));
}

/** Each with its own chance. Sizes grow little: what is off by half a pixel would grow with them. */
const transforms: Record<string, DetectionTransform> = {
  resize: resizeShortSide({ shortSide: { low: 36, high: 52 }, maxSide: 90 }),
  flip: flipObjects(0.7),
  'flip again': flipObjects(0.7),
  'min-iou': minIouCrop({ minSize: 0.7 }),
  crop: randomObjectCrop({ size: [52, 60] }),
  'crop by share': randomObjectCrop({ size: [70, 56], keep: 0.2 }),
};

/** Any of them in any order, each at most once. */
const orders = fc.shuffledSubarray(Object.keys(transforms), { minLength: 1 });

const applied = (shape: Shape, order: string[]) =>
  compose(order.map((name) => transforms[name]!))(sampleOf(shape), rng(shape.seed, 0, 0));

const isLarge = ([x1, y1, x2, y2]: Box, least = 8) => Math.min(x2 - x1, y2 - y1) >= least;

function expectClose(box: Box, other: Box | undefined, most = 1): void {
  expect(other).toBeDefined();
  expect(Math.max(...box.map((edge, k) => Math.abs(edge - other![k]!)))).toBeLessThanOrEqual(most);
}

const sum = (values: Uint8Array) => values.reduce((a, b) => a + b, 0);

function overlapOf(a: Uint8Array, b: Uint8Array): number {
  let [shared, either] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    shared += a[i]! & b[i]!;
    either += a[i]! | b[i]!;
  }
  return shared / either;
}

describe('any composition of transforms', () => {
  it('keeps boxes inside the image and tight around what they mark, to a pixel', () => {
    let checked = 0;
    fc.assert(
      fc.property(shapes, orders, (shape, order) => {
        const { image, objects } = applied(shape, order);
        for (const { box } of objects) {
          expect(Math.min(...box)).toBeGreaterThanOrEqual(0);
          expect(box[2]).toBeLessThanOrEqual(image.width);
          expect(box[3]).toBeLessThanOrEqual(image.height);
          expect(Math.min(box[2] - box[0], box[3] - box[1])).toBeGreaterThanOrEqual(1);
          if (!isLarge(box)) continue;
          expectClose(box, brightBox(image), 1.2); // enlarged a little, half a pixel of the drawing is more
          checked++;
        }
      }),
      { numRuns: 200 },
    );
    expect(checked).toBeGreaterThan(100);
  });

  it('moves polygons and masks alike', () => {
    let [checked, overlaps] = [0, 0];
    fc.assert(
      fc.property(shapes, orders, (shape, order) => {
        const { image, objects } = applied(shape, order);
        if (objects.length < 2 || !objects.every(({ box }) => isLarge(box, 22))) return;
        const [polygon, mask] = objects.map((object) => maskOf(object, image)) as [Uint8Array, Uint8Array];
        const [x1, y1, x2, y2] = objects[0]!.box;
        const aPixelOff = (1 - 2.4 / (x2 - x1)) * (1 - 2.4 / (y2 - y1)); // or a bit more, on every side
        expect(overlapOf(polygon, mask)).toBeGreaterThan(Math.min(0.9, aPixelOff));
        overlaps += overlapOf(polygon, mask);
        checked++;
      }),
      { numRuns: 200 },
    );
    expect(checked).toBeGreaterThan(30);
    expect(overlaps / checked).toBeGreaterThan(0.95);
  });

  it('depends on the random numbers alone and writes nothing into what it is given', () => {
    fc.assert(
      fc.property(shapes, orders, (shape, order) => {
        const sample = sampleOf(shape);
        const before = structuredClone(sample);
        const transform = compose(order.map((name) => transforms[name]!));
        const [one, two] = [rng(shape.seed, 1, 2), rng(shape.seed, 1, 2)];
        expect(isDeepStrictEqual(transform(sample, one), transform(sample, two))).toBe(true);
        expect(one.next()).toBe(two.next());
        expect(isDeepStrictEqual(sample, before)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps images without objects', () => {
    fc.assert(
      fc.property(shapes, orders, (shape, order) => {
        const transform = compose(order.map((name) => transforms[name]!));
        const { image, objects } = transform({ ...sampleOf(shape), objects: [] }, rng(shape.seed, 0, 0));
        expect(objects).toEqual([]);
        expect(image.data.length).toBe(image.width * image.height * 3);
      }),
      { numRuns: 30 },
    );
  });
});

describe('flipObjects', () => {
  it('twice gives the sample back', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const sample = sampleOf(shape);
        const once = flipObjects(1)(sample, rng(0, 0, 0));
        const twice = flipObjects(1)(once, rng(0, 0, 0));
        expect(sameBytes(twice.image.data, sample.image.data)).toBe(true);
        expect(twice.objects[1]).toEqual(sample.objects[1]);
        expectClose(twice.objects[0]!.box, sample.objects[0]!.box, 1e-9);
        const [back, given] = [twice, sample].map(
          ({ objects }) => (objects[0]!.segmentation as number[][])[0]!,
        );
        for (const [i, v] of back!.entries()) expect(v).toBeCloseTo(given![i]!, 9);
      }),
      { numRuns: 30 },
    );
  });

  it('keeps to its probability', () => {
    const sample = drawnSample(4, 6, [0, 0, 3, 0, 3, 3]);
    const flipped = Array.from({ length: 1000 }, (_, i) => flipObjects(0.3)(sample, rng(0, 0, i)) !== sample);
    expect(flipped.filter(Boolean).length / 1000).toBeCloseTo(0.3, 1);
  });
});

describe('resizeShortSide', () => {
  const image = (height: number, width: number) => ({
    width,
    height,
    data: new Uint8Array(3 * height * width),
  });

  it('follows mmdetection: the scale that reaches one of both sides, sides rounded by their half', () => {
    const sides = fc.integer({ min: 1, max: 900 });
    fc.assert(
      fc.property(
        sides,
        sides,
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        (h, w, short, more) => {
          const scale = Math.min(short / Math.min(h, w), (short + more) / Math.max(h, w));
          const rounded = [h, w].map((side) => Math.max(1, Math.trunc(side * scale + 0.5)));
          const { image: out } = detectionInput(image(h, w), { shortSide: short, maxSide: short + more });
          expect([out.height, out.width]).toEqual(rounded);
        },
      ),
    );
  });

  it('says the scale, and gives the image itself where the size is right', () => {
    expect(detectionInput(image(48, 64), { shortSide: 80 })).toMatchObject({
      image: { width: 107, height: 80 },
      scale: 107 / 64,
    });
    expect(detectionInput(image(48, 64), { shortSide: 80, maxSide: 90 }).scale).toBe(90 / 64);
    const same = image(48, 64);
    expect(detectionInput(same, { shortSide: 48 })).toEqual({ image: same, scale: 1 });
  });

  it('draws one of several sides, or any of a range', () => {
    const sample = { name: 'a', image: image(10, 10), objects: [] };
    const drawn = (options: Parameters<typeof resizeShortSide>[0]) =>
      Array.from({ length: 200 }, (_, i) => resizeShortSide(options)(sample, rng(0, 0, i)).image.height);
    expect(new Set(drawn({ shortSide: [8, 12, 20] }))).toEqual(new Set([8, 12, 20]));
    expect(new Set(drawn({ shortSide: { low: 8, high: 11 } }))).toEqual(new Set([8, 9, 10, 11]));
    const one = rng(0, 0, 0);
    resizeShortSide({ shortSide: 8 })(sample, one);
    expect(one.next()).toBe(rng(0, 0, 0).next()); // nothing to draw
  });

  it('leaves out objects that become too small, with their masks', () => {
    const sample: DetectionSample = {
      name: 'a',
      image: image(40, 40),
      objects: [boxed([0, 0, 6, 30], { id: 1 }), boxed([0, 0, 8, 8], { id: 2, area: 40 })],
    };
    const ids = (minSide?: number) =>
      resizeShortSide({ shortSide: 10, minSide })(sample, rng(0, 0, 0)).objects.map(({ id }) => id);
    expect(ids()).toEqual([1, 2]);
    expect(ids(2)).toEqual([2]);
    expect(resizeShortSide({ shortSide: 20 })(sample, rng(0, 0, 0)).objects[1]).toEqual(
      boxed([0, 0, 4, 4], { id: 2, area: 10 }),
    );
  });

  it.each([
    { shortSide: 0 },
    { shortSide: 20, maxSide: 10 },
    { shortSide: [] },
    { shortSide: [10, Number.NaN] },
    { shortSide: { low: 10, high: 9 } },
    { shortSide: { low: 1.5, high: 9 } },
  ])('refuses %j', (options) => {
    expect(() => resizeShortSide(options)).toThrow(OptionError);
  });
});

/** Twenty objects of 10 pixels in rows of five, of an image of 100x80. */
const grid = (change: Partial<DetectionObject> = {}): DetectionSample => ({
  name: 'grid',
  image: rgbImage(80, 100, (y, x) => [x, y, 0]),
  objects: Array.from({ length: 20 }, (_, id) => {
    const [x, y] = [20 * (id % 5) + 5, 20 * Math.floor(id / 5) + 5];
    return boxed([x, y, x + 10, y + 10], { id, ...change });
  }),
});

/** Where a window of the grid lies: its pixels say so. */
const windowOf = ({ image }: DetectionSample): Box => {
  const [left, top] = image.data as unknown as [number, number];
  return [left, top, left + image.width, top + image.height];
};

describe('randomObjectCrop', () => {
  const crops = (options: Parameters<typeof randomObjectCrop>[0], sample = grid()) =>
    Array.from({ length: 100 }, (_, i) => randomObjectCrop(options)(sample, rng(5, 0, i)));

  it('keeps the objects with their centre in the window, and cuts them', () => {
    for (const crop of crops({ size: [31, 42] })) {
      const [left, top, right, bottom] = windowOf(crop);
      const expected = grid().objects.flatMap(({ box: [x, y], id }) => {
        const [cx, cy] = [x + 5, y + 5];
        if (cx <= left || cx >= right || cy <= top || cy >= bottom) return [];
        const edges = [
          Math.max(x, left),
          Math.max(y, top),
          Math.min(x + 10, right),
          Math.min(y + 10, bottom),
        ];
        return [boxed(edges.map((v, k) => v - (k % 2 === 0 ? left : top)) as Box, { id })];
      });
      expect(crop.objects).toEqual(expected);
      expect([crop.image.height, crop.image.width]).toEqual([31, 42]);
    }
  });

  it('or those that show a share of their box', () => {
    for (const crop of crops({ size: [31, 42], keep: 0.5 })) {
      for (const { box } of crop.objects) {
        expect((box[2] - box[0]) * (box[3] - box[1])).toBeGreaterThanOrEqual(50);
      }
      const [left, top, right, bottom] = windowOf(crop);
      const shown = grid().objects.filter(({ box: [x, y] }) => {
        const width = Math.max(0, Math.min(x + 10, right) - Math.max(x, left));
        const height = Math.max(0, Math.min(y + 10, bottom) - Math.max(y, top));
        return width * height >= 50;
      });
      expect(crop.objects.map(({ id }) => id)).toEqual(shown.map(({ id }) => id));
    }
  });

  it('keeps a crowd as far as it is seen', () => {
    const sample = { ...grid(), objects: [boxed([0, 0, 100, 80], { crowd: true })] };
    for (const crop of crops({ size: [20, 20] }, sample)) {
      expect(crop.objects).toEqual([boxed([0, 0, 20, 20], { crowd: true })]);
    }
  });

  it('leaves small images whole, and every place is reached', () => {
    const sample = grid();
    expect(randomObjectCrop({ size: [80, 200] })(sample, rng(0, 0, 0))).toBe(sample);
    const tops = crops({ size: [77, 100] }).map((crop) => windowOf(crop)[1]);
    expect(new Set(tops)).toEqual(new Set([0, 1, 2, 3]));
  });

  it('gives what is cut the box of the rest of its outline', () => {
    const polygon = [0, 0, 80, 0, 0, 80]; // its right half below a slope
    const sample: DetectionSample = { ...drawnSample(80, 80, polygon), name: 'slope' };
    let cut = 0;
    for (let i = 0; i < 50; i++) {
      const { image, objects } = randomObjectCrop({ size: [40, 40], keep: 0.01 })(sample, rng(2, 0, i));
      for (const object of objects) {
        const mask = maskOf(object, image);
        if (isLarge(object.box))
          expectClose(
            object.box,
            boundsOf(40, 1600, (k) => mask[k] === 1),
          );
        expectClose(outlineBox(object.segmentation!), object.box, 1e-9);
        if (object.box[3] < 39) cut++;
      }
    }
    expect(cut).toBeGreaterThan(0);
  });

  it('does not take the border for a part of an outline that lies around it', () => {
    const hook = [0, 0, 100, 0, 100, 100, 0, 100, 0, 80, 80, 80, 80, 20, 0, 20]; // two arms, and a back at the right
    const sample = drawnSample(120, 120, hook);
    const seen = (window: Box) => cropSample(sample, window, { keeps: () => true });
    for (const object of seen([10, 10, 70, 60]).objects) {
      expect(object.box).toEqual([0, 0, 60, 10]);
      expect(sum(maskOf(object, { width: 60, height: 50 }))).toBe(600);
    }
    expect(seen([10, 25, 70, 75]).objects).toEqual([]);
    expect(seen([0, 20, 80, 80]).objects).toEqual([]);
  });

  it.each([{ size: [0, 4] }, { size: [4, 4], keep: 0 }, { size: [4, 4], keep: 1.1 }])(
    'refuses %j',
    (options) => {
      expect(() => randomObjectCrop(options as never)).toThrow(OptionError);
    },
  );
});

describe('minIouCrop', () => {
  it('takes windows that overlap an object as much as was asked, or the whole image', () => {
    const sample: DetectionSample = { ...grid(), objects: [boxed([20, 20, 60, 60])] };
    let [whole, cropped] = [0, 0];
    for (let i = 0; i < 300; i++) {
      const crop = minIouCrop({ overlaps: [0.6] })(sample, rng(3, 0, i));
      if (crop === sample) {
        whole++;
        continue;
      }
      const { width, height } = crop.image;
      const [x1, y1, x2, y2] = crop.objects[0]!.box;
      const shown = (x2 - x1) * (y2 - y1);
      const overlap = shown / (1600 + width * height - shown);
      if (overlap >= 0.6) cropped++;
      expect(height / width).toBeGreaterThanOrEqual(0.5);
      expect(height / width).toBeLessThanOrEqual(2);
      expect(Math.min(width / 100, height / 80)).toBeGreaterThan(0.28);
    }
    // A third of the draws each: whole, overlapping if the tries suffice, and any window, which may overlap too.
    expect(whole).toBeGreaterThan(70);
    expect(cropped).toBeGreaterThan(40);
    expect(300 - whole - cropped).toBeGreaterThan(30);
  });

  it('keeps at least one object, and crowds that are seen', () => {
    const sample = grid();
    sample.objects.push(boxed([0, 0, 100, 80], { id: 99, crowd: true }));
    const kept = Array.from({ length: 60 }, (_, i) =>
      minIouCrop()(sample, rng(1, 0, i)).objects.map(({ id }) => id),
    );
    for (const ids of kept) {
      expect(ids.length).toBeGreaterThan(1);
      expect(ids).toContain(99);
    }
    expect(kept.some((ids) => ids.length < 21)).toBe(true);
  });

  it('leaves an image alone that has no object, or crowds only', () => {
    for (const objects of [[], [boxed([0, 0, 50, 50], { crowd: true })]]) {
      const sample = { ...grid(), objects };
      expect(minIouCrop()(sample, rng(0, 0, 0))).toBe(sample);
    }
    expect(() => minIouCrop({ overlaps: [0] })).toThrow(OptionError);
    expect(() => minIouCrop({ minSize: 1.5 })).toThrow(OptionError);
  });
});

describe('mosaicOf', () => {
  it('puts four samples together, boxes and outlines on what they mark', async () => {
    const dark = { name: 'dark', image: rgbImage(60, 60, () => [0, 0, 0]), objects: [] };
    let checked = 0;
    for (let seed = 0; seed < 60; seed++) {
      const bright = drawnSample(50, 70, outlineOf([20, 10, 60, 40], seed % 2 === 0 ? 4 : 32));
      const asked: number[] = [];
      const load = async (index: number) => {
        asked.push(index);
        return dark;
      };
      const four = await mosaicOf(bright, 9, load, rng(seed, 0, 0));
      expect([four.name, four.image.height, four.image.width]).toEqual(['drawn', 50, 70]);
      expect(asked.length).toBe(3);
      for (const object of four.objects) {
        const mask = maskOf(object, four.image);
        if (!isLarge(object.box)) continue;
        expectClose(object.box, brightBox(four.image));
        // Nothing of an outline reaches into the neighbours.
        expectClose(
          object.box,
          boundsOf(70, 3500, (i) => mask[i] === 1),
        );
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(40);
  });

  it('takes objects of all four', async () => {
    const bright = drawnSample(50, 70, outlineOf([5, 5, 65, 45], 4));
    const four = await mosaicOf(bright, 1, async () => bright, rng(1, 0, 0));
    expect(four.objects.length).toBe(8);
  });
});

describe('detectionAugmentation', () => {
  it('is distortion, crop by overlap, resize, crop, mirror', () => {
    const sample = drawnSample(60, 80, outlineOf([20, 10, 60, 50], 32));
    const augment = detectionAugmentation({
      shortSide: [50, 70],
      photometric: { brightness: 10 },
      minIouCrop: true,
      crop: { size: [48, 48] },
    });
    const results = Array.from({ length: 40 }, (_, i) => augment(sample, rng(3, 0, i)));
    for (const { image, objects } of results) {
      expect([image.height, image.width]).toEqual([48, 48]);
      for (const { box } of objects) expect(Math.max(...box)).toBeLessThanOrEqual(48);
    }
    expect(new Set(results.map(({ objects }) => String(objects[0]?.box))).size).toBeGreaterThan(30);
  });

  it('by default resizes and mirrors', () => {
    const sample = drawnSample(30, 40, [2, 2, 20, 2, 20, 12]);
    const augment = detectionAugmentation({ shortSide: 60 });
    const boxes = Array.from({ length: 20 }, (_, i) => String(augment(sample, rng(0, 0, i)).objects[0]!.box));
    expect(new Set(boxes)).toEqual(new Set(['4,4,40,24', '40,4,76,24']));
  });
});
