import { describe, expect, it } from 'vitest';
import { expectClose, readTensors } from '../../../tests/support/tensors.ts';
import {
  type BoxFormat,
  boxAreas,
  boxOverlaps,
  clipBoxes,
  convertBoxes,
  generalisedIou,
  largeBoxes,
  takeBoxes,
} from './boxes.ts';

const oracle = readTensors(new URL('../test/fixtures/nms.safetensors', import.meta.url));
const boxes = oracle.get('boxes')!.data as Float32Array;
const [a, b] = [boxes.subarray(0, 48), boxes.subarray(48, 120)];

describe('boxes', () => {
  it('overlap as the reference says', () => {
    expectClose(boxOverlaps(a, b), oracle.get('box_iou')!.data, 1e-7);
    expectClose(generalisedIou(a, b), oracle.get('generalized_box_iou')!.data, 1e-7);
  });

  it('overlap with a crowd by their own area', () => {
    const crowd = Float32Array.of(0, 0, 100, 50);
    const other = Float32Array.of(10, 10, 20, 20, 90, 40, 110, 60, 200, 0, 210, 10);
    expect([...boxOverlaps(crowd, other, 'iof')]).toEqual([1, 0.25, 0]);
  });

  it('without an area, or not finite, overlap nothing', () => {
    const odd = Float32Array.of(5, 5, 5, 9, 9, 9, 7, 12, Number.NaN, 0, 1, 1);
    const pairs = [...boxOverlaps(odd, odd), ...boxOverlaps(Float32Array.of(0, 0, 20, 20), odd, 'iof')];
    expect(pairs).toEqual(new Array(12).fill(0));
    const [point, far] = [Float32Array.of(5, 5, 5, 5), Float32Array.of(7, 7, 7, 7)];
    expect([...generalisedIou(point, point)]).toEqual([0]);
    expect([...generalisedIou(point, far)]).toEqual([-1]);
    expect(boxOverlaps(new Float32Array(0), a).length).toBe(0);
  });

  it('are clipped and sifted as in the reference', () => {
    const moved = boxes.map((v) => v - 10);
    expectClose(clipBoxes(moved, { height: 30, width: 40 }), oracle.get('clip_30x40')!.data, 0);
    expect(largeBoxes(boxes, 10)).toEqual(oracle.get('remove_small_10')!.data);
  });

  it('have areas, and can be picked', () => {
    expect([...boxAreas(Float32Array.of(1, 2, 4, 4, 3, 3, 3, 9))]).toEqual([6, 0]);
    expect(takeBoxes(boxes, [3, 0])).toEqual(
      Float32Array.of(...boxes.subarray(12, 16), ...boxes.subarray(0, 4)),
    );
  });

  it('convert between formats and back', () => {
    const forms: Record<BoxFormat, number[]> = {
      xyxy: [10, 20, 30, 60],
      xywh: [10, 20, 20, 40],
      cxcywh: [20, 40, 20, 40],
    };
    for (const [from, values] of Object.entries(forms)) {
      for (const [to, expected] of Object.entries(forms)) {
        const converted = convertBoxes(Float32Array.from(values), from as BoxFormat, to as BoxFormat);
        expect([...converted], `${from} to ${to}`).toEqual(expected);
      }
    }
  });
});
