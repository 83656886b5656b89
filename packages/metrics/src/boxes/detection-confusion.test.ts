import { expect, it } from 'vitest';
import {
  ClassCountError,
  ClassIndexError,
  DetectionConfusion,
  DetectionError,
  EvaluationOptionError,
  type FoundBox,
  type TrueBox,
} from '../index.ts';

const at = (x: number, size = 10): TrueBox['box'] => [x, 0, x + size, size];
const object = (x: number, label: number, more: Partial<TrueBox> = {}): TrueBox => ({
  box: at(x),
  label,
  ...more,
});
const found = (x: number, label: number, score = 0.9): FoundBox => ({ box: at(x), label, score });

function counted(truths: TrueBox[], detections: FoundBox[], options = {}): number[][] {
  const confusion = new DetectionConfusion(2, options);
  confusion.add(truths, detections);
  return [0, 3, 6].map((row) => [...confusion.counts.subarray(row, row + 3)]);
}

it('counts right and wrong classes, objects that are missed, and detections of nothing', () => {
  const truths = [object(0, 0), object(20, 0), object(40, 1)];
  const detections = [found(0, 0), found(21, 1), found(80, 1), found(90, 0)];
  expect(counted(truths, detections)).toEqual([
    [1, 1, 0],
    [0, 0, 1],
    [1, 1, 0],
  ]);
});

it('matches the pair of highest IoU first, then the surer detection', () => {
  // Both detections reach both objects; the second lies exactly on the first object.
  expect(counted([object(0, 0), object(2, 1)], [found(1, 1), found(0, 0, 0.5)])).toEqual([
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 0],
  ]);
  expect(counted([object(0, 0)], [found(0, 1, 0.5), found(0, 0, 0.6)])).toEqual([
    [1, 0, 0],
    [0, 0, 0],
    [0, 1, 0],
  ]);
});

it('counts a detection that is listed twice twice, an object too', () => {
  const [detection, truth] = [found(0, 0), object(0, 0)];
  expect(counted([truth], [detection, detection])).toEqual([
    [1, 0, 0],
    [0, 0, 0],
    [1, 0, 0],
  ]);
  expect(counted([truth, truth], [detection])[0]).toEqual([1, 0, 1]);
});

it('leaves out detections below the score, and matches from the IoU on that is asked for', () => {
  expect(counted([object(0, 0)], [found(0, 0, 0.29)])[0]).toEqual([0, 0, 1]);
  expect(counted([object(0, 0)], [found(0, 0, 0.3)])[0]).toEqual([1, 0, 0]);
  // Shifted by 2 of 10: IoU 8 / 12.
  expect(counted([object(0, 0)], [found(2, 0)], { iouThreshold: 0.66 })[0]).toEqual([1, 0, 0]);
  expect(counted([object(0, 0)], [found(2, 0)], { iouThreshold: 0.67 })[0]).toEqual([0, 0, 1]);
});

it('counts neither difficult objects and crowds nor detections on them', () => {
  const none = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  expect(counted([object(0, 0, { difficult: true })], [found(0, 1), found(1, 0)])).toEqual(none);
  const crowd: TrueBox = { box: at(0, 100), label: 0, crowd: true };
  expect(counted([crowd], [found(0, 0), found(50, 1)])).toEqual(none);
  expect(counted([{ ...crowd, crowd: false, difficult: true }], [found(50, 1)])[2]).toEqual([0, 1, 0]);
  // An object inside the crowd is found all the same.
  expect(counted([crowd, object(50, 1)], [found(50, 1)])[1]).toEqual([0, 1, 0]);
});

it('sums over images and merges', () => {
  const [a, b] = [new DetectionConfusion(2), new DetectionConfusion(2)];
  a.add([object(0, 0)], [found(0, 0)]);
  b.add([object(0, 0)], [found(0, 0)]);
  b.add([], [found(0, 1)]);
  a.merge(b);
  expect([...a.counts]).toEqual([2, 0, 0, 0, 0, 0, 0, 1, 0]);
  expect(() => a.merge(new DetectionConfusion(3))).toThrow(ClassCountError);
});

it('refuses what it cannot count, and then counts nothing', () => {
  const confusion = new DetectionConfusion(2);
  expect(() => confusion.add([object(0, 0)], [found(0, 2)])).toThrow(ClassIndexError);
  expect(() => confusion.add([object(0, 0)], [found(0, 0, Number.NaN)])).toThrow(DetectionError);
  expect(confusion.counts.every((n) => n === 0)).toBe(true);
  expect(() => new DetectionConfusion(0)).toThrow(ClassCountError);
  expect(() => new DetectionConfusion(2, { iouThreshold: 1.5 })).toThrow(EvaluationOptionError);
  expect(() => new DetectionConfusion(2, { scoreThreshold: Number.NaN })).toThrow(EvaluationOptionError);
});
