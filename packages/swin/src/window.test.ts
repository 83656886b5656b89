import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, draw, maxDifference, useBackend } from '../test/helpers.ts';
import { maskOracle, partitionOracle } from '../test/oracles.ts';
import { shiftMask } from './mask.ts';
import { windowPartition, windowReverse } from './window.ts';

/** Maps of whole windows, with padding on each side, below the window, and below the shift. */
const cases = [
  { shape: [2, 8, 12, 3], window: 4, shift: 0 },
  { shape: [2, 8, 12, 3], window: 4, shift: 2 },
  { shape: [2, 5, 7, 3], window: 4, shift: 0 },
  { shape: [2, 5, 7, 3], window: 4, shift: 2 },
  { shape: [1, 13, 14, 2], window: 7, shift: 3 },
  { shape: [3, 2, 3, 4], window: 7, shift: 3 },
  { shape: [1, 1, 1, 5], window: 7, shift: 3 },
  { shape: [1, 3, 4, 1], window: 1, shift: 0 },
];

describe.each(backends)('windows on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each(cases)('of $window shifted by $shift on a map $shape equal the loops, and go back', (c) => {
    const before = tf.memory().numTensors;
    const x = draw(c.shape, 1) as tf.Tensor4D;
    const windows = windowPartition(x, c.window, c.shift);
    const expected = partitionOracle(x.dataSync(), c.shape, c.window, c.shift);
    expect([...windows.dataSync()]).toEqual(expected);
    expect(windows.shape.slice(1)).toEqual([c.window ** 2, c.shape[3]]);
    const map = windowReverse(windows, [c.shape[1]!, c.shape[2]!], c.window, c.shift);
    expect(maxDifference(map, x)).toBe(0);
    tf.dispose([x, windows, map]);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('shiftMask', () => {
  it.each(cases.filter(({ shift }) => shift > 0))('of $window on $shape equals the loops', (c) => {
    const [, height, width] = c.shape as [number, number, number, number];
    expect([...shiftMask(height, width, c.window, c.shift)]).toEqual(
      maskOracle(height, width, c.window, c.shift),
    );
  });
});
