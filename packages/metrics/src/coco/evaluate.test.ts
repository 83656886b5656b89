import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sharedData } from '../../../../tests/support/shared-data.ts';
import {
  type CocoDataset,
  type CocoDetection,
  type CocoFigures,
  type CocoIouType,
  cocoEvaluate,
  DetectionError,
  EvaluationOptionError,
  encodeRle,
  GroundTruthError,
} from '../index.ts';

interface Case {
  ground_truth: CocoDataset;
  detections: CocoDetection[];
  iou_type: CocoIouType;
  params: { useCats?: number; maxDets?: [number, number, number] };
  expected: {
    stats: number[];
    precision_shape: number[];
    precision_sum: number;
    precision_weighted_sum: number;
    precision_minus_ones: number;
    scores_weighted_sum: number;
    recall: number[];
    precision_iou50_all_max_last: number[][];
  };
}
const fixture = new URL('../../test/fixtures/coco_cases.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(fixture, 'utf8')) as { cases: Record<string, Case> };

function evaluated({ ground_truth, detections, iou_type, params: { useCats, maxDets } }: Case) {
  return cocoEvaluate(ground_truth, detections, {
    iouType: iou_type,
    params: { useCategories: useCats !== 0, ...(maxDets && { maxDetections: maxDets }) },
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number) {
  expect(actual.length).toBe(expected.length);
  const off = Array.from(actual, (v, i) => Math.abs(v - expected[i]!));
  expect(off.findIndex((v) => !(v <= tolerance))).toBe(-1);
}

const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
const weighted = (values: Float64Array) => values.reduce((a, b, i) => a + b * ((i % 97) + 1), 0);

describe('cocoEvaluate equals pycocotools', () => {
  it.each(Object.keys(cases))('%s', (name) => {
    const c = cases[name]!;
    const before = structuredClone([c.ground_truth, c.detections]);
    const scores = evaluated(c);
    const { shape, precision, recall, scores: scoresAt } = scores.curves;
    const { expected } = c;
    expectClose(scores.stats, expected.stats, 1e-9);
    expect(Object.values(shape)).toEqual(expected.precision_shape);
    expectClose(recall, expected.recall, 1e-9);
    expect(precision.filter((v) => v === -1).length).toBe(expected.precision_minus_ones);
    expectClose(
      [sum(precision), weighted(precision), weighted(scoresAt)],
      [expected.precision_sum, expected.precision_weighted_sum, expected.scores_weighted_sum],
      1e-6, // sums of up to 10⁵ entries that each agree to 1e-9
    );
    const curves = scores.precisionAt(0.5).map((row) => row.map((v) => v ?? -1));
    expectClose(curves.flat(), expected.precision_iou50_all_max_last.flat(), 1e-9);
    expect([c.ground_truth, c.detections]).toEqual(before);
  });
});

const golden = sharedData('detection/coco-eval');

describe.skipIf(!golden)('cocoEvaluate equals pycocotools on samples of COCO', () => {
  const read = (file: string) => JSON.parse(readFileSync(`${golden}/${file}`, 'utf8'));

  it.each<[string, string, string, CocoIouType, boolean]>([
    ['bbox', 'instances_val2014_100', 'instances_val2014_fakebbox100_results', 'bbox', true],
    ['segm', 'instances_val2014_100', 'instances_val2014_fakesegm100_results', 'segm', true],
    ['bbox_useCats0', 'instances_val2014_100', 'instances_val2014_fakebbox100_results', 'bbox', false],
    ['review_bbox', 'review_sampled_gts', 'review_sampled_dets', 'bbox', true],
  ])('%s', (run, truth, detections, iouType, useCategories) => {
    const { stats, per_category: perCategory } = read('golden-pycocotools.json').runs[run] as {
      stats: number[];
      per_category: Record<string, Pick<CocoFigures<number>, 'AP' | 'AP50' | 'AR100'>>;
    };
    const found = read(`${detections}.json`);
    const scores = cocoEvaluate(read(`${truth}.json`), found.annotations ?? found, {
      iouType,
      params: { useCategories },
    });
    expectClose(scores.stats, stats, 1e-6);
    for (const { id, AP, AP50, AR100 } of useCategories ? scores.perClass : []) {
      const expected = perCategory[id];
      if (expected === undefined) expect([AP, AP50, AR100]).toEqual([null, null, null]);
      else expectClose([AP!, AP50!, AR100!], [expected.AP, expected.AP50, expected.AR100], 1e-6);
    }
  });
});

type Box = [number, number, number, number];
const box: Box = [10, 10, 40, 40];
const square = { id: 1, image_id: 1, category_id: 2, bbox: box, area: 1600 };
const truth: CocoDataset = {
  images: [{ id: 1, width: 64, height: 64 }, { id: 'b' }],
  annotations: [square],
  categories: [
    { id: 7, name: 'none' },
    { id: 2, name: 'square' },
  ],
};
const hit: CocoDetection = { image_id: 1, category_id: 2, bbox: box, score: 0.9 };

describe('cocoEvaluate', () => {
  it('gives figures by name and by class, in the order of the classes, null where a class has no object', () => {
    const { stats, curves, params, perClass, precisionAt, ...means } = cocoEvaluate(truth, [hit], {
      iouType: 'bbox',
    });
    expect(Object.values(means)).toEqual(stats);
    expect(means).toMatchObject({ APs: -1, APl: -1, AR100: 1 });
    expect(means.AP).toBeCloseTo(1, 12);
    expect(perClass.map(({ id, name, AR100, ARl }) => [id, name, AR100, ARl])).toEqual([
      [7, 'none', null, null],
      [2, 'square', 1, null],
    ]);
    expect(precisionAt(0.75).map((row) => [row.length, row[0] === null])).toEqual([
      [101, true],
      [101, false],
    ]);
    expect(curves.precision.length).toBe(10 * 101 * 2 * 4 * 3);
    expect(params.maxDetections).toEqual([1, 10, 100]);
  });

  it('goes by the box for the size of a detection that has a mask too, by the mask if there is no box', () => {
    // A frame around the object: its box is large, its mask small.
    const frame = Uint8Array.from({ length: 200 * 200 }, (_, i) =>
      [i % 200, Math.floor(i / 200)].some((v) => v === 0 || v === 199) ? 1 : 0,
    );
    const found = { image_id: 1, category_id: 2, score: 0.9, segmentation: encodeRle(frame, [200, 200]) };
    const inner = Uint8Array.from(frame, (_, i) => (i % 200 > 90 && i % 200 < 110 ? 1 : 0));
    const small = { ...square, area: 900, segmentation: encodeRle(inner, [200, 200]) };
    const set = { ...truth, images: [{ id: 1 }], annotations: [small] };
    const second = { ...found, segmentation: small.segmentation, score: 0.5 };
    const byMask = cocoEvaluate(set, [found, second], { iouType: 'segm' });
    const byBox = cocoEvaluate(set, [{ ...found, bbox: [0, 0, 200, 200] }, second], { iouType: 'segm' });
    expect(byMask.APs).toBeCloseTo(0.5, 12); // the frame is small, and wrong
    expect(byBox.APs).toBeCloseTo(1, 12); // the frame is large, and not counted
  });

  it('takes other thresholds, and has no AP50 without 0.5 and no AP without 100 detections', () => {
    const scores = cocoEvaluate(truth, [hit], {
      iouType: 'bbox',
      params: { iouThresholds: [0.3, 0.75], maxDetections: [1, 2, 3] },
    });
    expect([scores.AP, scores.AP50, scores.AR1]).toEqual([-1, -1, 1]);
    expect(scores.AP75).toBeCloseTo(1, 12);
    expect(() => scores.precisionAt(0.5)).toThrow('one of 0.3, 0.75');
  });

  it.each<[string, object]>([
    ['iouThresholds', { iouThresholds: [] }],
    ['iouThresholds', { iouThresholds: [0.5, 0.5] }],
    ['iouThresholds', { iouThresholds: [Number.NaN] }],
    ['iouThresholds', { iouThresholds: [0] }],
    ['maxDetections', { maxDetections: [1, 10] }],
    ['maxDetections', { maxDetections: [10, 1, 100] }],
    ['maxDetections', { maxDetections: [1, 10, 1.5] }],
    ['iouType', { iouType: 'keypoints' }],
  ])('refuses unusable %s', (name, { iouType = 'bbox', ...params }: { iouType?: string }) => {
    const run = () => cocoEvaluate(truth, [], { iouType: iouType as 'bbox', params });
    expect(run).toThrow(EvaluationOptionError);
    expect(run).toThrow(name);
  });

  it.each<[string, Partial<CocoDetection>, CocoIouType]>([
    ['detection 1 has no usable score', { score: Number.NaN }, 'bbox'],
    ['detection 1 has no usable score', { score: '0.5' as unknown as number }, 'bbox'],
    ['detection 1 is of an unknown image', { image_id: 'c' }, 'bbox'],
    ['detection 1 is of an unknown class', { category_id: 3 }, 'bbox'],
    ['detection 1 has no usable box', { bbox: [0, 0, Number.NaN, 1] }, 'bbox'],
    ['detection 1 has no usable box', { bbox: [0, 0, -1, 1] }, 'bbox'],
    ['detection 1 has no usable box', { bbox: [0, 0, 1] as unknown as Box }, 'bbox'],
    ['detection 1 has no mask', {}, 'segm'],
    ['detection 1 has no usable mask: the runs', { segmentation: { size: [64, 64], counts: '1' } }, 'segm'],
    ['another size than its image', { segmentation: encodeRle([1], [1, 1]) }, 'segm'],
  ])('refuses with "%s"', (message, change, iouType) => {
    const segmentation = encodeRle(new Uint8Array(64 * 64).fill(1), [64, 64]);
    const good = iouType === 'segm' ? { ...hit, segmentation } : hit;
    const run = () =>
      cocoEvaluate({ ...truth, annotations: [{ ...square, segmentation }] }, [good, { ...hit, ...change }], {
        iouType,
      });
    expect(run).toThrow(DetectionError);
    expect(run).toThrow(message);
  });

  it('shows what it refuses, however that is made', () => {
    let deep: unknown = [];
    for (let i = 0; i < 1e5; i++) deep = [deep];
    const refused = (change: object) => () =>
      cocoEvaluate(truth, [{ ...hit, ...change }], { iouType: 'bbox' });
    for (const value of [JSON.parse('{"toString":0}'), Object.create(null), [deep], 'x'.repeat(1e6), 5n]) {
      for (const change of [{ image_id: value }, { score: value }, { bbox: value }, { bbox: [value] }]) {
        expect(refused(change)).toThrow(DetectionError);
      }
    }
    expect(refused({ bbox: [0, Number.NaN, 1, 1] })).toThrow('received: [0,NaN,1,1]');
  });

  it('refuses detections that are no list, and one that is no object', () => {
    const run = (found: unknown) => () => cocoEvaluate(truth, found as CocoDetection[], { iouType: 'bbox' });
    expect(run({ annotations: [hit] })).toThrow(DetectionError);
    expect(run([null])).toThrow('detection 0 is of an unknown image');
  });

  it('refuses a detection without a box, and masks of different sizes in one image', () => {
    const { bbox: _, ...boxless } = hit;
    expect(() => cocoEvaluate(truth, [boxless], { iouType: 'bbox' })).toThrow('detection 0 has no box');
    const sizeless = { ...truth, images: [{ id: 1 }] };
    const masked = { ...sizeless, annotations: [{ ...square, segmentation: encodeRle([1, 1], [1, 2]) }] };
    const run = () =>
      cocoEvaluate(masked, [{ ...hit, segmentation: encodeRle([1, 1], [2, 1]) }], { iouType: 'segm' });
    expect(run).toThrow('detection 0 has a mask of another size than the true masks of its image');
  });

  it.each<[string, Partial<CocoDataset>, CocoIouType]>([
    ['the ground truth has no list of images', { images: undefined as never }, 'bbox'],
    ['image entry 0 has no usable id', { images: [{} as never] }, 'bbox'],
    ['the image id 1 occurs twice', { images: [{ id: 1 }, { id: 1 }] }, 'bbox'],
    ['the category id 2 occurs twice', { categories: [...truth.categories, { id: 2, name: 'b' }] }, 'bbox'],
    ['the annotation id 1 occurs twice', { annotations: [square, square] }, 'bbox'],
    ['annotation 1 is of an unknown image', { annotations: [{ ...square, image_id: 3 }] }, 'bbox'],
    ['annotation 1 is of an unknown class', { annotations: [{ ...square, category_id: 3 }] }, 'bbox'],
    ['annotation 1 has no usable area', { annotations: [{ ...square, area: undefined as never }] }, 'bbox'],
    ['annotation 1 has no usable box', { annotations: [{ ...square, bbox: undefined as never }] }, 'bbox'],
    ['annotation 1 has no mask', {}, 'segm'],
    [
      'annotation 1 has no usable mask: a polygon is no list',
      { annotations: [{ ...square, segmentation: [[1, 2]] }] },
      'segm',
    ],
    [
      'annotation 1 has polygons but its image no size',
      { annotations: [{ ...square, image_id: 'b', segmentation: [[0, 0, 5, 0, 5, 5]] }] },
      'segm',
    ],
  ])('refuses ground truth with "%s"', (message, change, iouType) => {
    const run = () => cocoEvaluate({ ...truth, ...change }, [], { iouType });
    expect(run).toThrow(GroundTruthError);
    expect(run).toThrow(message);
  });

  it('needs neither detections, objects, classes nor images', () => {
    const empty = { images: [], annotations: [], categories: [] };
    for (const iouType of ['bbox', 'segm'] as const) {
      expect(cocoEvaluate(empty, [], { iouType }).stats).toEqual(Array(12).fill(-1));
    }
    expect(cocoEvaluate(truth, [], { iouType: 'bbox' }).AP).toBe(0);
  });
});
