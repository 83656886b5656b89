import { decodeRle } from '@e3va/metrics';
import { describe, expect, it } from 'vitest';
import { readTensors } from '../../../../tests/support/tensors.ts';
import { pasteMasks } from './paste-masks.ts';

const read = (name: string) =>
  readTensors(new URL(`../../test/fixtures/${name}.safetensors`, import.meta.url));
const sizes = [
  { height: 120, width: 150 },
  { height: 128, width: 160 },
];

describe('pasteMasks', () => {
  it.each([
    ['torchvision', 'mask_rcnn', 'masks', 'pasted.0', 0],
    ['torchvision', 'mask_rcnn', 'masks', 'pasted.1', 1],
    ['mmdet', 'cascade_smooth_l1', 'mask_probs', 'detections.0.pasted', 0],
    ['mmdet', 'cascade_smooth_l1', 'mask_probs', 'detections.1.pasted', 1],
  ] as const)('equals %s: %s.%s, %s', (definition, file, masks, expected, image) => {
    const oracle = read(file);
    const { shape, data } = oracle.get(expected)!;
    const count = shape[0]!;
    const probabilities = oracle
      .get(`detections.${image}.${masks}`)!
      .data.subarray(0, count * 28 * 28) as Float32Array;
    const boxes = oracle.get(`detections.${image}.boxes`)!.data.subarray(0, 4 * count) as Float32Array;
    const pasted = pasteMasks(probabilities, boxes, sizes[image]!, { definition });
    expect(pasted.map(({ size }) => size)).toEqual(
      Array(count).fill([sizes[image]!.height, sizes[image]!.width]),
    );
    expect(pasted.flatMap((rle) => [...decodeRle(rle)])).toEqual([...data]);
  });

  it('takes no boxes, and boxes outside the image or without area', () => {
    const size = { height: 5, width: 6 };
    expect(pasteMasks(new Float32Array(0), new Float32Array(0), size)).toEqual([]);
    const ones = new Float32Array(3 * 4).fill(1);
    const boxes = Float32Array.of(-9, -9, -5, -5, 2, 2, 2, 4, -2, -3, 9, 9);
    const [outside, flat, whole] = pasteMasks(ones, boxes, size).map((rle) => decodeRle(rle));
    expect(outside).toEqual(new Uint8Array(30));
    expect(flat).toEqual(new Uint8Array(30));
    expect(whole).toEqual(new Uint8Array(30).fill(1));
  });
});
