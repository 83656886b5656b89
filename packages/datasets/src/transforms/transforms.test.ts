import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelMap, rgbImage, sameBytes, sameSample } from '../../test/make-data.ts';
import { OptionError } from '../errors.ts';
import { rng } from '../rng.ts';
import type { LabelMap, RgbImage, SegmentationSample, Transform } from '../sample.ts';
import { compose } from './compose.ts';
import { randomFlip } from './flip.ts';
import { normalize } from './normalize.ts';
import { pad } from './pad.ts';
import { photometricDistortion } from './photometric.ts';
import { randomCrop } from './random-crop.ts';
import { randomScale } from './random-scale.ts';
import { randomScaleCrop } from './random-scale-crop.ts';
import { resize } from './resize.ts';
import { trainAugmentation } from './train-augmentation.ts';

const noise = (y: number, x: number) => (y * 131 + x * 71 + x * x * y * 17) % 251;

/** A sample whose image is drawn from its mask: red = 20 * label, green and blue follow. */
function drawn(mask: LabelMap): SegmentationSample {
  const data = Uint8Array.from(
    { length: mask.data.length * 3 },
    (_, i) => colorOf(mask.data[Math.floor(i / 3)]!)[i % 3]!,
  );
  return { name: 'drawn', image: { width: mask.width, height: mask.height, data }, mask };
}
const colorOf = (label: number) => [20 * label, 250 - 20 * label, 90];
const padding = { color: [1, 2, 3] as [number, number, number] };

/** Squares of 8 pixels with labels 0..9, so that interpolation leaves their middles alone. */
const squares = (h: number, w: number) => labelMap(h, w, (y, x) => noise(y >> 3, x >> 3) % 10);

/** Pixels whose colour is not that of their label, of those whose 5x5 neighbourhood has one label. */
function misplaced({ image, mask }: SegmentationSample): { wrong: number; checked: number } {
  let [wrong, checked] = [0, 0];
  for (let y = 2; y < mask.height - 2; y++) {
    for (let x = 2; x < mask.width - 2; x++) {
      if (!isUniform(mask, y, x)) continue;
      const at = y * mask.width + x;
      const label = mask.data[at]!;
      const color = label === 255 ? padding.color : colorOf(label);
      checked++;
      if (color.some((v, c) => image.data[at * 3 + c] !== v)) wrong++;
    }
  }
  return { wrong, checked };
}

function isUniform({ width, data }: LabelMap, y: number, x: number): boolean {
  for (let dy = -2; dy <= 2; dy++) {
    for (let dx = -2; dx <= 2; dx++)
      if (data[(y + dy) * width + x + dx] !== data[y * width + x]) return false;
  }
  return true;
}

const geometric: Record<string, Transform> = {
  'resize to a size': resize({ size: [50, 70] }),
  'resize by sides': resize({ shortSide: 48, longSide: 90 }),
  randomScale: randomScale({ range: [0.75, 2] }),
  'randomScale from a base': randomScale({ range: [1, 2], base: { shortSide: 40 } }),
  randomCrop: randomCrop({ size: [30, 21] }),
  randomScaleCrop: randomScaleCrop({ scale: { range: [0.75, 2] }, crop: { size: [32, 24] } }),
  randomFlip: randomFlip(),
  pad: pad({ size: [64, 80], ...padding }),
  compose: compose([
    randomScale({ range: [0.8, 1.5] }),
    randomCrop({ size: [40, 40] }),
    randomFlip(),
    pad({ size: [48, 48], ...padding }),
  ]),
};

describe('image and mask stay together', () => {
  it.each(Object.entries(geometric))('%s', (_, transform) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 33, max: 60 }),
        fc.integer({ min: 33, max: 60 }),
        fc.nat(),
        (h, w, seed) => {
          const sample = drawn(squares(h, w));
          const [pixels, labels] = [sample.image.data.slice(), sample.mask.data.slice()];
          const result = transform(sample, rng(seed, 0, 0));
          expect([result.image.width, result.image.height]).toEqual([result.mask.width, result.mask.height]);
          expect(result.image.data.length).toBe(3 * result.mask.data.length);
          const { wrong, checked } = misplaced(result);
          expect(checked).toBeGreaterThan(20);
          expect(wrong).toBe(0);
          expect(result.name).toBe('drawn');
          expect(sameBytes(sample.image.data, pixels)).toBe(true); // the given arrays are never written
          expect(sameBytes(sample.mask.data, labels)).toBe(true);
          expect(sameSample(transform(sample, rng(seed, 0, 0)), result)).toBe(true);
        },
      ),
      { numRuns: 12 },
    );
  });

  it('photometric distortion leaves the mask and the given arrays alone', () => {
    const sample = drawn(squares(20, 20));
    const pixels = sample.image.data.slice();
    for (let seed = 0; seed < 20; seed++) {
      expect(photometricDistortion()(sample, rng(seed, 0, 0)).mask).toBe(sample.mask);
    }
    expect(sameBytes(sample.image.data, pixels)).toBe(true);
  });
});

describe('resize', () => {
  const size = (h: number, w: number, transform: Transform) => {
    const { image } = transform(drawn(labelMap(h, w, () => 0)), rng(0, 0, 0));
    return [image.height, image.width];
  };
  it('keeps the ratio by the short side, and by the long side where that would grow too long', () => {
    expect(size(30, 60, resize({ shortSide: 20 }))).toEqual([20, 40]);
    expect(size(60, 30, resize({ shortSide: 20 }))).toEqual([40, 20]);
    expect(size(30, 60, resize({ shortSide: 20, longSide: 30 }))).toEqual([15, 30]);
    expect(size(1, 300, resize({ shortSide: 1, longSide: 10 }))).toEqual([1, 10]);
  });

  it.each([{ size: [0, 3] }, { size: [2.5, 3] }, { shortSide: 0 }, { shortSide: 9, longSide: 3 }])(
    'refuses %j',
    (target) => {
      expect(() => resize(target as never)).toThrow(OptionError);
    },
  );
});

describe('randomScale', () => {
  it('covers its range evenly', () => {
    const widths = Array.from({ length: 400 }, (_, i) => {
      return randomScale({ range: [0.5, 2] })(drawn(labelMap(2, 100, () => 0)), rng(0, 0, i)).image.width;
    });
    expect(Math.min(...widths)).toBeGreaterThanOrEqual(50);
    expect(Math.max(...widths)).toBeLessThanOrEqual(200);
    const mean = widths.reduce((a, b) => a + b) / widths.length;
    expect(Math.abs(mean - 125)).toBeLessThan(8);
  });

  it.each([[[0, 1]], [[2, 1]], [[Number.NaN, 1]]])('refuses the range %j', (range) => {
    expect(() => randomScale({ range: range as [number, number] })).toThrow(OptionError);
  });
});

describe('randomCrop', () => {
  /** One class but for a small patch of another in the lower right corner. */
  const corner = drawn(labelMap(64, 64, (y, x) => (y >= 48 && x >= 48 ? 1 : 0)));
  const shareOfLargest = ({ mask }: SegmentationSample) => {
    const ones = mask.data.filter((v) => v === 1).length;
    return Math.max(ones, mask.data.length - ones) / mask.data.length;
  };

  it('avoids windows that one class fills', () => {
    const crops = (catMaxRatio: number) =>
      Array.from({ length: 300 }, (_, i) =>
        shareOfLargest(randomCrop({ size: [24, 24], catMaxRatio })(corner, rng(1, 0, i))),
      );
    const mixed = (shares: number[]) => shares.filter((v) => v < 0.75).length / shares.length;
    const free = mixed(crops(1));
    const capped = mixed(crops(0.75));
    // Eleven windows instead of one: 1 - (1 - p)^11.
    expect(Math.abs(capped - (1 - (1 - free) ** 11))).toBeLessThan(0.1);
    expect(capped).toBeGreaterThan(2 * free);
  });

  it('takes what it has where the cap cannot be met', () => {
    const plain = drawn(labelMap(20, 20, () => 3));
    const { mask } = randomCrop({ size: [8, 8] })(plain, rng(0, 0, 0));
    expect(mask.data.every((v) => v === 3)).toBe(true);
  });

  it('does not count ignored pixels', () => {
    // Column pairs of 0 and 1 in a sea of 255: every window that meets both is mixed.
    const sea = drawn(labelMap(16, 16, (_, x) => (x % 8 === 0 ? 0 : x % 8 === 1 ? 1 : 255)));
    const crop = randomCrop({ size: [8, 8], catMaxRatio: 0.6 });
    for (let i = 0; i < 50; i++) {
      const { data } = crop(sea, rng(0, 0, i)).mask;
      expect(data.includes(0) && data.includes(1)).toBe(true);
    }
  });

  it('reaches every window', () => {
    const places = new Set<string>();
    const numbered = drawn(labelMap(5, 6, (y, x) => y * 6 + x));
    for (let i = 0; i < 600; i++)
      places.add(`${randomCrop({ size: [3, 3], catMaxRatio: 1 })(numbered, rng(0, 0, i)).mask.data[0]}`);
    expect(places.size).toBe(3 * 4);
  });

  it('takes a smaller picture whole', () => {
    const small = drawn(squares(10, 40));
    const { image } = randomCrop({ size: [16, 16] })(small, rng(0, 0, 0));
    expect([image.height, image.width]).toEqual([10, 16]);
  });

  it.each([
    { size: [0, 4] },
    { size: [4, 4], catMaxRatio: 0 },
    { size: [4, 4], catMaxRatio: 1.1 },
    { size: [4, 4], tries: -1 },
  ])('refuses %j', (options) => {
    expect(() => randomCrop(options as never)).toThrow(OptionError);
  });
});

it('randomScaleCrop equals randomScale and then randomCrop, to the pixel and to the random number', () => {
  const scale = { range: [0.4, 2] as const };
  const crop = { size: [32, 24] as const, catMaxRatio: 0.3 };
  const slow = compose([randomScale(scale), randomCrop(crop)]);
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 60 }),
      fc.integer({ min: 10, max: 60 }),
      fc.nat(),
      (h, w, seed) => {
        const mask = squares(h, w);
        const image = rgbImage(h, w, (y, x) => [noise(y, x), noise(x, y), noise(y + 1, x)]);
        const [one, two] = [rng(seed, 0, 0), rng(seed, 0, 0)];
        const fast = randomScaleCrop({ scale, crop })({ name: 'a', image, mask }, one);
        expect(sameSample(fast, slow({ name: 'a', image, mask }, two))).toBe(true);
        expect(one.next()).toBe(two.next());
      },
    ),
    { numRuns: 40 },
  );
});

describe('randomFlip', () => {
  it('mirrors, twice gives the original, and keeps to its probability', () => {
    const sample = drawn(squares(9, 17));
    const once = randomFlip(1)(sample, rng(0, 0, 0));
    expect(once.mask.data[0]).toBe(sample.mask.data[16]);
    expect(randomFlip(1)(once, rng(0, 0, 0))).toEqual(sample);
    expect(randomFlip(0)(sample, rng(0, 0, 0))).toBe(sample);
    const flipped = Array.from({ length: 1000 }, (_, i) => randomFlip(0.3)(sample, rng(0, 0, i)) !== sample);
    expect(flipped.filter(Boolean).length / 1000).toBeCloseTo(0.3, 1);
  });
});

describe('pad', () => {
  it('fills the right and the bottom with a colour and the ignore index', () => {
    const { image, mask } = pad({ size: [2, 3], ignoreIndex: 99 })(
      drawn(labelMap(1, 2, () => 5)),
      rng(0, 0, 0),
    );
    expect([...mask.data]).toEqual([5, 5, 99, 99, 99, 99]);
    expect([...image.data.subarray(6, 9)]).toEqual([124, 116, 104]);
    expect([...image.data.subarray(0, 3)]).toEqual(colorOf(5));
  });

  it('leaves larger pictures alone', () => {
    const sample = drawn(squares(9, 9));
    expect(pad({ size: [9, 4] })(sample, rng(0, 0, 0))).toBe(sample);
    expect(() => pad({ size: [0, 4] })).toThrow(OptionError);
  });
});

it('normalize takes the mean and divides by the deviation', () => {
  const image: RgbImage = { width: 2, height: 1, data: Uint8Array.of(0, 128, 255, 124, 116, 104) };
  const expected = [-0.485 / 0.229, (128 / 255 - 0.456) / 0.224, (1 - 0.406) / 0.225];
  const values = normalize(image);
  expected.forEach((v, i) => {
    expect(values[i]).toBeCloseTo(v, 5);
  });
  expect(Math.max(...values.subarray(3).map(Math.abs))).toBeLessThan(0.02); // the default colour of pad
  expect([...normalize(image, { mean: [0, 0, 0], std: [1, 1, 1] })][2]).toBe(1);
});

it('trainAugmentation always ends at the size of the crop', () => {
  const augment = trainAugmentation({ crop: [32, 40], scale: [0.3, 2] });
  for (let i = 0; i < 40; i++) {
    const { image, mask } = augment(drawn(squares(30 + i, 60 - i)), rng(0, 0, i));
    expect([image.height, image.width, mask.height, mask.width]).toEqual([32, 40, 32, 40]);
  }
});
