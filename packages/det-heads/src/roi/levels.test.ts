import { describe, expect, it } from 'vitest';
import { readTensors } from '../../../../tests/support/tensors.ts';
import { assignLevels } from './levels.ts';

const oracle = readTensors(new URL('../../test/fixtures/levels.safetensors', import.meta.url));

describe('assignLevels', () => {
  it.each(['torchvision', 'mmdet'])('equals %s, on the borders too', (name) => {
    const levels = assignLevels(oracle.get('boxes')!.data as Float32Array, 4);
    expect(levels).toEqual(oracle.get(name)!.data);
  });

  it('keeps to the levels there are, and gives boxes without area the finest', () => {
    expect(assignLevels(Float32Array.of(0, 0, 900, 900), 2)).toEqual(Int32Array.of(1));
    expect(assignLevels(Float32Array.of(0, 0, 50, 50), 4, 14)).toEqual(Int32Array.of(1));
    const flat = Float32Array.of(5, 5, 5, 9, 9, 9, 0, 10, Number.NaN, 0, 1, 1);
    expect(assignLevels(flat, 4)).toEqual(new Int32Array(3));
    expect(assignLevels(new Float32Array(0), 4)).toEqual(new Int32Array(0));
  });
});
