import { encodeRle } from '@e3va/metrics';
import { describe, expect, it } from 'vitest';
import { boundsOf, boxed, drawnSample } from '../../test/make-objects.ts';
import type { Box } from './sample.ts';
import { targetsOf } from './targets.ts';

describe('targetsOf', () => {
  it('gives boxes and labels, and marks what is ignored', () => {
    const objects = [
      boxed([1, 2, 3, 4]),
      boxed([0.5, 0, 9, 8], { label: 3, crowd: true }),
      boxed([5, 6, 7, 8], { label: 1, difficult: true }),
    ];
    expect(targetsOf(objects)).toEqual({
      boxes: Float32Array.of(1, 2, 3, 4, 0.5, 0, 9, 8, 5, 6, 7, 8),
      labels: Int32Array.of(0, 3, 1),
      crowd: Uint8Array.of(0, 1, 1),
    });
    expect(targetsOf([])).toEqual({
      boxes: new Float32Array(),
      labels: new Int32Array(),
      crowd: new Uint8Array(),
    });
  });

  it('draws masks at the padded size: polygons, run lengths, and boxes without either', () => {
    const { objects } = drawnSample(10, 12, [2, 3, 6, 3, 6, 8, 2, 8]);
    const { masks } = targetsOf([...objects, boxed([2, 3, 6, 8])], [16, 20]);
    expect([masks!.height, masks!.width, masks!.data.length]).toEqual([16, 20, 3 * 320]);
    const expected = Uint8Array.from({ length: 320 }, (_, i) => {
      const [x, y] = [i % 20, Math.floor(i / 20)];
      return x >= 2 && x < 6 && y >= 3 && y < 8 ? 1 : 0;
    });
    for (let i = 0; i < 3; i++) expect(masks!.data.subarray(i * 320, (i + 1) * 320)).toEqual(expected);
    expect(targetsOf([], [16, 20]).masks).toEqual({ height: 16, width: 20, data: new Uint8Array() });
  });

  it('takes the box where an outline holds no pixel', () => {
    const box: Box = [2, 3, 6, 8];
    const empty = [
      boxed(box, { segmentation: [[2, 3, 2.1, 3, 2, 3.1]] }),
      boxed(box, { segmentation: encodeRle(new Uint8Array(100), [10, 10]) }),
    ];
    const { masks } = targetsOf(empty, [10, 10]);
    for (let i = 0; i < 2; i++) expect(boundsOf(10, 100, (k) => masks!.data[100 * i + k] === 1)).toEqual(box);
  });
});
