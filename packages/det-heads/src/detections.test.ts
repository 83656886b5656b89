import { decodeRle, encodeRle } from '@e3va/metrics';
import { describe, expect, it } from 'vitest';
import type { Detection } from './detection.ts';
import { DetectionInputError } from './errors.ts';
import { rescaleDetections } from './rescale.ts';
import { toCocoSsd } from './to-coco-ssd.ts';

const found: Detection = { box: [10, 20, 30, 60], score: 0.9, label: 1 };

describe('toCocoSsd', () => {
  it('writes corner, size and the name of the class', () => {
    const expected = [{ bbox: [10, 20, 20, 40], class: 'dog', score: 0.9 }];
    expect(toCocoSsd([found], ['cat', 'dog'])).toEqual(expected);
    expect(toCocoSsd([], [])).toEqual([]);
  });

  it('names a class without a name', () => {
    expect(() => toCocoSsd([found], ['cat'])).toThrow(DetectionInputError);
    expect(() => toCocoSsd([found], ['cat'])).toThrow('received: 1');
  });
});

describe('rescaleDetections', () => {
  it('leads boxes back to the image and clips them to it', () => {
    const [box] = rescaleDetections([found], 0.5, { height: 100, width: 200 });
    expect(box).toEqual({ ...found, box: [20, 40, 60, 100] });
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a scale of %f', (scale) => {
    expect(() => rescaleDetections([found], scale, { height: 9, width: 9 })).toThrow(DetectionInputError);
  });

  it('leads masks back, whatever the sizes', () => {
    const mask = encodeRle([0, 1, 1, 0, 0, 1], [2, 3]);
    const back = (scale: number, height: number, width: number) => {
      const [only] = rescaleDetections([{ ...found, mask }], scale, { height, width });
      expect(only!.mask!.size).toEqual([height, width]);
      return [...decodeRle(only!.mask!)];
    };
    expect(back(1, 2, 3)).toEqual([0, 1, 1, 0, 0, 1]);
    expect(back(0.5, 4, 6)).toEqual(
      [
        [0, 0, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
      ].flat(),
    );
    expect(back(2, 1, 2)).toEqual([0, 1]); // the centres lie in the pixels at (1, 1) and at the border
  });
});
