import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, draw, useBackend } from '../test/helpers.ts';
import { reader } from '../test/oracles.ts';
import { gatherPatches } from './patch.ts';

describe.each(backends)('gatherPatches on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it('orders the positions of a 2 x 2 patch (0,0), (1,0), (0,1), (1,1)', () => {
    tf.tidy(() => {
      const x = tf.tensor4d([1, 2, 3, 4], [1, 2, 2, 1]);
      expect([...gatherPatches(x, 2).dataSync()]).toEqual([1, 3, 2, 4]);
    });
  });

  it.each([
    { shape: [2, 4, 6, 3], size: 2 },
    { shape: [2, 5, 7, 3], size: 2 },
    { shape: [1, 9, 6, 3], size: 4 },
    { shape: [1, 1, 2, 2], size: 4 },
  ])('equals the loops on $shape by $size, zeros outside', ({ shape, size }) => {
    const [batch, height, width, channels] = shape as [number, number, number, number];
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const x = draw(shape, 1) as tf.Tensor4D;
      const at = reader(x.dataSync(), shape);
      const expected: number[] = [];
      for (let b = 0; b < batch; b++)
        for (let y = 0; y < height; y += size)
          for (let x = 0; x < width; x += size)
            for (let dx = 0; dx < size; dx++)
              for (let dy = 0; dy < size; dy++)
                for (let c = 0; c < channels; c++) expected.push(at(b, y + dy, x + dx, c));
      const patches = gatherPatches(x, size);
      expect([...patches.dataSync()]).toEqual(expected);
      expect(patches.shape).toEqual([
        batch,
        Math.ceil(height / size),
        Math.ceil(width / size),
        size ** 2 * channels,
      ]);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
