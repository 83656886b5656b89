import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import {
  ClassCountError,
  ClassIndexError,
  DetectionError,
  EvaluationOptionError,
  type FoundBox,
  GroundTruthError,
  LengthMismatchError,
  type TrueBox,
  vocEvaluate,
} from '../index.ts';
import { areaUnderCurve, elevenPoints } from './average-precision.ts';

type Box = [number, number, number, number];
interface ClassResult {
  ap_11_point: number;
  ap_area: number;
  num_gt: number;
  recall: number[];
  precision: number[];
}
interface Reference {
  ground_truth: { boxes: Box[]; labels: number[]; difficult: boolean[] }[];
  detections: { boxes: Box[]; labels: number[]; scores: number[] }[];
  iou_threshold: number;
  expected: Record<
    'continuous' | 'inclusive_pixels',
    { classes: ClassResult[]; map_11_point: number; map_area: number }
  >;
  mmdet: Record<string, number[]>;
  curve: { recall: number[]; precision: number[]; ap_11_point: number; ap_area: number };
}
const fixture = new URL('../../test/fixtures/voc.json', import.meta.url);
const reference = JSON.parse(readFileSync(fixture, 'utf8')) as Reference;
const truths = reference.ground_truth.map(({ boxes, labels, difficult }) =>
  boxes.map((box, i): TrueBox => ({ box, label: labels[i]!, difficult: difficult[i] })),
);
const found = reference.detections.map(({ boxes, labels, scores }) =>
  boxes.map((box, i): FoundBox => ({ box, label: labels[i]!, score: scores[i]! })),
);

function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-9) {
  expect(actual.length).toBe(expected.length);
  expected.forEach((v, i) => {
    expect(Math.abs(actual[i]! - v)).toBeLessThanOrEqual(tolerance);
  });
}

describe('vocEvaluate equals the rules of the VOC development kit', () => {
  it.each(['continuous', 'inclusive_pixels'] as const)('with %s boxes', (mode) => {
    const expected = reference.expected[mode];
    const options = {
      classes: 3,
      iouThreshold: reference.iou_threshold,
      inclusivePixels: mode !== 'continuous',
    };
    const { mAP, mAP11, perClass } = vocEvaluate(truths, found, options);
    expectClose([mAP, mAP11], [expected.map_area, expected.map_11_point]);
    perClass.forEach((scores, c) => {
      const { ap_11_point, ap_area, num_gt, recall, precision } = expected.classes[c]!;
      expectClose([scores.AP!, scores.AP11!, scores.objects], [ap_area, ap_11_point, num_gt]);
      expectClose(scores.recall, recall);
      expectClose(scores.precision, precision);
    });
    const plus = options.inclusivePixels ? 1 : 0;
    const area = reference.mmdet[`mmdet eval_map ap_area plus=${plus}`]!;
    const points = reference.mmdet[`mmdet eval_map ap_11_point plus=${plus}`]!;
    expectClose(
      perClass.map(({ AP }) => AP!),
      area,
      1e-6,
    );
    expectClose(
      perClass.map(({ AP11 }) => AP11!),
      points,
      1e-6,
    );
  });
});

describe('average precision of a curve', () => {
  it('equals the reference, where the eleven points are exact', () => {
    const { ap_11_point, ap_area, ...curve } = reference.curve;
    expectClose([areaUnderCurve(curve), elevenPoints(curve, true)], [ap_area, ap_11_point]);
  });

  it('misses a recall of exactly 0.7 with points that are multiples of 0.1, unless asked for exact ones', () => {
    const objects = Array.from(
      { length: 10 },
      (_, i): TrueBox => ({ box: [20 * i, 0, 20 * i + 9, 9], label: 0 }),
    );
    const detections = objects.slice(3).map((object): FoundBox => ({ ...object, score: 0.5 }));
    const ap = (exactPoints?: boolean) =>
      vocEvaluate([objects], [detections], { classes: 1, ...(exactPoints && { exactPoints }) }).mAP11;
    expectClose([ap(), ap(true)], [7 / 11, 8 / 11]);
  });
});

const golden = sharedData('detection/coco-eval/voc-ap-case1');

describe.skipIf(!golden)('vocEvaluate equals an open-source tool for VOC metrics', () => {
  const rows = (folder: string) =>
    readdirSync(`${golden}/${folder}`)
      .sort()
      .map((file) => {
        const lines = readFileSync(`${golden}/${folder}/${file}`, 'utf8').trim().split('\n');
        return lines.filter(Boolean).map((line) => line.trim().split(/\s+/).slice(1).map(Number));
      });
  const corners = ([x, y, width, height]: number[]): Box => [x!, y!, x! + width!, y! + height!];
  const expected = golden ? JSON.parse(readFileSync(`${golden}/expected.json`, 'utf8')) : {};

  it.each(['0.1', '0.3', '0.5', '0.75'])('at IoU %s', (threshold) => {
    const objects = rows('gts').map((list) => list.map((r): TrueBox => ({ box: corners(r), label: 0 })));
    const detections = rows('dets').map((list) =>
      list.map(([score, ...r]): FoundBox => ({ box: corners(r), label: 0, score: score! })),
    );
    const options = { classes: 1, iouThreshold: Number(threshold), inclusivePixels: true };
    const { mAP, mAP11 } = vocEvaluate(objects, detections, options);
    expectClose([mAP, mAP11], [expected.AP_every_point[threshold], expected.AP_11point[threshold]], 1e-6);
  });
});

const box: Box = [10, 10, 50, 50];
const object: TrueBox = { box, label: 0 };
const detection: FoundBox = { box, label: 0, score: 0.9 };

describe('vocEvaluate', () => {
  it('leaves classes without objects out of the means, and has no mean without any', () => {
    const { mAP, perClass } = vocEvaluate([[object]], [[detection, { ...detection, label: 1 }]], {
      classes: 2,
    });
    expect([mAP, perClass[1]!.AP, perClass[1]!.AP11]).toEqual([1, null, null]);
    expect(vocEvaluate([[]], [[detection]], { classes: 1 })).toMatchObject({
      mAP: Number.NaN,
      mAP11: Number.NaN,
    });
  });

  it('counts neither difficult objects nor crowds, nor what finds them', () => {
    for (const mark of [{ difficult: true }, { crowd: true }]) {
      const far: TrueBox = { ...object, box: [100, 100, 140, 140] };
      const twice = [detection, detection, { ...detection, box: far.box, score: 0.1 }];
      const { perClass } = vocEvaluate([[{ ...object, ...mark }, far]], [twice], { classes: 1 });
      expect(perClass[0]).toMatchObject({ AP: 1, objects: 1 });
    }
  });

  it('tells one object that stands in the lists of two images apart', () => {
    const { perClass } = vocEvaluate([[object], [object]], [[detection], [detection]], { classes: 1 });
    expect([...perClass[0]!.recall]).toEqual([0.5, 1]);
    expect(perClass[0]).toMatchObject({ AP: 1, objects: 2 });
  });

  it('takes objects of equal score in the order of the images', () => {
    const { perClass } = vocEvaluate([[], [object]], [[detection], [detection]], { classes: 1 });
    expect([...perClass[0]!.precision]).toEqual([0, 0.5]);
  });

  it.each<[string, new (parts: never) => Error, TrueBox[][], FoundBox[][], object]>([
    ['different numbers of images', LengthMismatchError, [[]], [], {}],
    [
      'object 0 of image 0 has no usable box',
      GroundTruthError,
      [[{ ...object, box: [5, 0, 1, 9] }]],
      [[]],
      {},
    ],
    ['object 1 of image 0 is of no class', ClassIndexError, [[object, { ...object, label: 1 }]], [[]], {}],
    [
      'detection 0 of image 0 has no usable score',
      DetectionError,
      [[]],
      [[{ ...detection, score: NaN }]],
      {},
    ],
    [
      'detection 0 of image 1 has no usable box',
      DetectionError,
      [[], []],
      [[], [{ ...detection, box: [0, 0, NaN, 1] }]],
      {},
    ],
    ['number of classes', ClassCountError, [], [], { classes: 0 }],
    ['iouThreshold', EvaluationOptionError, [], [], { iouThreshold: 0 }],
  ])('refuses with "%s"', (message, kind, objects, detections, options) => {
    const run = () => vocEvaluate(objects, detections, { classes: 1, ...options });
    expect(run).toThrow(kind);
    expect(run).toThrow(message);
  });
});
