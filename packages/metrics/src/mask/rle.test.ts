import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  boxToRle,
  compressRle,
  decodeRle,
  encodeRle,
  LengthMismatchError,
  mergeRles,
  PolygonError,
  polygonsToRle,
  type Rle,
  RleError,
  rleArea,
  rleBox,
  rleIou,
} from '../index.ts';

type Size = [height: number, width: number];
type Box = [number, number, number, number];
interface Reference {
  masks: Record<string, { size: Size; runs: number[]; counts: string; area: number; bbox: Box }>;
  merge_of_first_n_blobs: Record<string, { union: string; intersection: string }>;
  iou_blobs: {
    not_crowd: number[][];
    crowd: number[][];
    mixed: number[][];
    detections: number[];
    ground_truth: number[];
  };
  polygons: Record<
    string,
    { size: Size; polygons: number[][]; part_counts: string[]; counts: string; area: number; bbox: Box }
  >;
  boxes_to_rle: { size: Size; items: { bbox: Box; counts: string; area: number }[] };
}
const fixture = new URL('../../test/fixtures/rle.json', import.meta.url);
const reference = JSON.parse(readFileSync(fixture, 'utf8')) as Reference;

/** Pixels, row by row, straight from runs down the columns. */
function pixelsOf(runs: number[], [height, width]: Size): Uint8Array {
  const columns = runs.flatMap((length, i) => Array<number>(length).fill(i % 2));
  return Uint8Array.from(columns, (_, at) => columns[(at % width) * height + Math.floor(at / width)]!);
}

describe('run lengths equal pycocotools', () => {
  it.each(Object.keys(reference.masks))('%s', (name) => {
    const { size, runs, counts, area, bbox } = reference.masks[name]!;
    const rle: Rle = { size, counts };
    const pixels = pixelsOf(runs, size);
    expect(encodeRle(pixels, size)).toEqual(rle);
    expect(compressRle({ size, counts: runs })).toEqual(rle);
    for (const form of [rle, { size, counts: runs }]) {
      expect(Buffer.compare(decodeRle(form), pixels)).toBe(0);
      expect(rleArea(form)).toBe(area);
      expect(rleBox(form)).toEqual(bbox);
    }
  });

  const blobs = [0, 1, 2, 3, 4, 5].map((i): Rle => {
    const { size, counts } = reference.masks[`blob${i}`]!;
    return { size, counts };
  });

  it.each(Object.keys(reference.merge_of_first_n_blobs))('merge of %s', (n) => {
    const { union, intersection } = reference.merge_of_first_n_blobs[n]!;
    expect(mergeRles(blobs.slice(0, Number(n))).counts).toBe(union);
    expect(mergeRles(blobs.slice(0, Number(n)), { intersect: true }).counts).toBe(intersection);
  });

  it('IoU, with crowds', () => {
    const { detections, ground_truth: truths, not_crowd, crowd, mixed } = reference.iou_blobs;
    const [d, t] = [detections, truths].map((list) => list.map((i) => blobs[i]!)) as [Rle[], Rle[]];
    expect([...rleIou(d, t)]).toEqual(not_crowd.flat());
    expect([...rleIou(d, t, [1, 1, 1, 1])]).toEqual(crowd.flat());
    expect([...rleIou(d, t, [false, true, false, true])]).toEqual(mixed.flat());
  });
});

describe('polygons and boxes are drawn as by pycocotools', () => {
  it.each(Object.keys(reference.polygons))('%s', (name) => {
    const { size, polygons, part_counts, counts, area, bbox } = reference.polygons[name]!;
    const rle = polygonsToRle(polygons, size);
    expect(rle).toEqual({ size, counts });
    expect(polygons.map((p) => polygonsToRle([p], size).counts)).toEqual(part_counts);
    expect([rleArea(rle), rleBox(rle)]).toEqual([area, bbox]);
  });

  it('boxes', () => {
    const { size, items } = reference.boxes_to_rle;
    for (const { bbox, counts } of items) expect(boxToRle(bbox, size)).toEqual({ size, counts });
  });
});

/** A size and the pixels of a mask of it. */
const masks = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }))
  .chain(([height, width]) => {
    const pixels = fc.array(fc.constantFrom(0, 1), { minLength: height * width, maxLength: height * width });
    return fc.record({ size: fc.constant<Size>([height, width]), a: pixels, b: pixels });
  });

describe('run lengths agree with pixels', () => {
  it('in codes, areas, unions, intersections and IoU', () => {
    fc.assert(
      fc.property(masks, ({ size, a, b }) => {
        const [ra, rb] = [encodeRle(a, size), encodeRle(b, size)];
        const both = a.map((v, i) => v & b[i]!);
        const either = a.map((v, i) => v | b[i]!);
        const sum = (pixels: number[]) => pixels.reduce((n, v) => n + v, 0);
        expect([...decodeRle(ra)]).toEqual(a);
        expect([...decodeRle(mergeRles([ra, rb]))]).toEqual(either);
        expect(mergeRles([ra, rb], { intersect: true })).toEqual(encodeRle(both, size));
        expect(rleArea(ra)).toBe(sum(a));
        expect(rleIou([ra], [rb])[0]).toBe(sum(both) / Math.max(1, sum(either)));
        expect(rleIou([ra], [rb], [1])[0]).toBe(sum(both) / Math.max(1, sum(a)));
      }),
    );
  });

  it('in boxes', () => {
    fc.assert(
      fc.property(masks, ({ size, a }) => {
        const inside = a.flatMap((v, i) => (v ? [[i % size[1], Math.floor(i / size[1])] as const] : []));
        const range = (axis: 0 | 1) => {
          const at = inside.map((p) => p[axis]);
          return [Math.min(...at), Math.max(...at) - Math.min(...at) + 1];
        };
        const [[x, width], [y, height]] = [range(0), range(1)] as [number[], number[]];
        expect(rleBox(encodeRle(a, size))).toEqual(inside.length ? [x, y, width, height] : [0, 0, 0, 0]);
      }),
    );
  });

  it('takes runs of length zero anywhere', () => {
    const rle = { size: [2, 3] as Size, counts: [0, 0, 2, 1, 0, 0, 0, 1, 2, 0] };
    expect([...decodeRle(rle)]).toEqual([0, 1, 0, 0, 1, 0]);
    expect(rleBox(rle)).toEqual([1, 0, 1, 2]);
    expect(rleIou([rle], [encodeRle([0, 1, 0, 0, 1, 0], [2, 3])])[0]).toBe(1);
  });

  it('reads long runs that it wrote: differences of six characters, both signs', () => {
    const counts = [5, 50_000_000, 7, 3, 20_000_000, 40_000_000, 2 ** 27 - 110_000_015];
    const rle = compressRle({ size: [8192, 16384], counts });
    expect(rleArea(rle)).toBe(90_000_003);
    expect(rleBox(rle)).toEqual(rleBox({ size: [8192, 16384], counts }));
  });

  it('holds masks without pixels', () => {
    expect(encodeRle([], [0, 5])).toEqual({ size: [0, 5], counts: '0' });
    expect([...decodeRle({ size: [0, 5], counts: '' })]).toEqual([]);
    expect(polygonsToRle([], [2, 3])).toEqual(encodeRle([0, 0, 0, 0, 0, 0], [2, 3]));
  });
});

/** Every sample along the outline, as pycocotools walks it: slow, and only for outlines of moderate reach. */
function drawnBySamples(polygon: number[], [height, width]: Size): Uint8Array {
  const at = polygon.map((v) => Math.trunc(5 * v + 0.5));
  const samples: [number, number][] = [];
  for (let i = 0; i < at.length; i += 2) {
    const [x1, y1, x2, y2] = [at[i]!, at[i + 1]!, at[(i + 2) % at.length]!, at[(i + 3) % at.length]!];
    const flat = Math.abs(x2 - x1) >= Math.abs(y2 - y1);
    const forward = flat ? x1 <= x2 : y1 <= y2;
    const [x, y, xe, ye] = forward ? [x1, y1, x2, y2] : [x2, y2, x1, y1];
    const n = flat ? xe - x : ye - y;
    const walk = Array.from({ length: n + 1 }, (_, t): [number, number] =>
      flat
        ? [x + t, Math.trunc(y + ((ye - y) / n || 0) * t + 0.5)]
        : [Math.trunc(x + ((xe - x) / n) * t + 0.5), y + t],
    );
    samples.push(...(forward ? walk : walk.reverse()));
  }
  const changes = new Uint32Array(height * width + 1);
  for (let i = 1; i < samples.length; i++) {
    const [[u0, v0], [u1, v1]] = [samples[i - 1]!, samples[i]!];
    const column = (Math.min(u0, u1) + 0.5) / 5 - 0.5;
    if (u0 === u1 || !Number.isInteger(column) || column < 0 || column > width - 1) continue;
    const row = Math.ceil(Math.min(Math.max((Math.min(v0, v1) + 0.5) / 5 - 0.5, 0), height));
    changes[column * height + row]! ^= 1;
  }
  let inside = 0;
  const columns = changes.map((change) => (inside ^= change));
  return Uint8Array.from(
    { length: height * width },
    (_, p) => columns[(p % width) * height + Math.floor(p / width)]!,
  );
}

describe('polygonsToRle', () => {
  it('finds the crossings that a walk along the outline finds', () => {
    const coordinate = fc.oneof(
      fc.integer({ min: -4, max: 16 }),
      fc.integer({ min: -300, max: 400 }).map((v) => v / 10),
      fc.double({ min: -30, max: 40, noNaN: true }),
    );
    const polygon = fc.array(fc.tuple(coordinate, coordinate), { minLength: 3, maxLength: 7 });
    fc.assert(
      fc.property(polygon, (corners) => {
        const size: Size = [11, 13];
        const flat = corners.flat();
        expect([...decodeRle(polygonsToRle([flat], size))]).toEqual([...drawnBySamples(flat, size)]);
      }),
      { numRuns: 500 },
    );
  });

  it('takes no longer for an outline that reaches far outside', () => {
    const rle = polygonsToRle([[-4e8, -4e8, 4e8, -4e8, 4e8, 4e8, -4e8, 4e8]], [3, 4]);
    expect(rleArea(rle)).toBe(12);
    expect(rleArea(polygonsToRle([[1.5, -4e8, 2.5, 4e8, 9, -4e8]], [300, 400]))).toBeGreaterThan(0);
  });

  it.each([
    [[1, 2, 3, 4], 'a polygon is no list of corners'],
    [[1, 2, 3, 4, 5, 6, 7], '7 coordinates'],
    [[1, 2, 3, Number.NaN, 5, 6], 'coordinate 3 of a polygon is out of range'],
    [[1, 2, 3, 4, Number.POSITIVE_INFINITY, 6], 'coordinate 4 of a polygon is out of range'],
    [[1, 2, 3, 4, 5, -1e9], 'coordinate 5 of a polygon is out of range'],
    ['123456' as unknown as number[], 'a polygon is no list of corners'],
    [[1, 2, 3, 4, 5, null as never], 'coordinate 5 of a polygon is out of range'],
    [['1', 2, 3, 4, 5, 6] as unknown as number[], 'coordinate 0 of a polygon is out of range'],
  ])('refuses %j', (polygon, message) => {
    expect(() => polygonsToRle([polygon], [5, 5])).toThrow(PolygonError);
    expect(() => polygonsToRle([polygon], [5, 5])).toThrow(message);
  });
});

describe('malformed masks are refused', () => {
  it.each<[string, unknown, string]>([
    [
      'sizes above the limit, before anything is allocated',
      { size: [2 ** 30, 2 ** 30], counts: '0' },
      'size',
    ],
    ['negative sizes', { size: [-1, -1], counts: [1] }, 'size'],
    ['fractional sizes', { size: [0.5, 2], counts: [1] }, 'size'],
    ['sizes of three numbers', { size: [1, 1, 1], counts: [1] }, 'size'],
    ['no size', { counts: [1] }, 'size'],
    ['counts short of the size', { size: [2, 3], counts: [1, 2] }, 'do not add up'],
    ['counts beyond the size', { size: [2, 3], counts: [1, 2, 2 ** 27] }, 'do not add up'],
    ['negative counts', { size: [2, 3], counts: [-1, 7] }, 'run 0'],
    ['counts that are no numbers', { size: [2, 3], counts: [6, Number.NaN] }, 'run 1'],
    ['counts that are text in a list', { size: [1, 1], counts: ['1'] }, 'run 0'],
    ['counts of another form', { size: [2, 3], counts: 6 }, 'unknown form'],
    ['a string with a strange character', { size: [2, 3], counts: '6 ' }, 'damaged at character 1'],
    ['a string that ends inside a number', { size: [2, 3], counts: '6P' }, 'the end of the string'],
    ['a string with an endless number', { size: [2, 3], counts: 'PPPPPPPPPP' }, 'damaged at character 6'],
    ['a string with a negative run', { size: [2, 3], counts: 'O' }, 'damaged at character 0'],
    ['no mask at all', null, 'no run-length mask'],
  ])('%s', (_, rle, message) => {
    expect(() => decodeRle(rle as Rle)).toThrow(RleError);
    expect(() => rleArea(rle as Rle)).toThrow(message);
  });

  it('also pixels that do not fit, masks of different sizes, nothing to merge', () => {
    const [a, b] = [encodeRle([1, 0], [1, 2]), encodeRle([1, 0], [2, 1])];
    expect(() => encodeRle([1, 0, 1], [1, 2])).toThrow(RleError);
    expect(() => mergeRles([])).toThrow('there is no mask to merge');
    expect(() => mergeRles([a, b])).toThrow('masks of different sizes');
    expect(() => rleIou([a], [b])).toThrow('masks of different sizes');
    expect(() => rleIou([a], [a], [])).toThrow(LengthMismatchError);
  });
});
