import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { backends, useBackend } from '../test/helpers.ts';
import { DropPath, dropPath } from './drop-path.ts';

describe.each(backends)('drop path on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it('drops whole samples at the rate and keeps the mean', () => {
    const samples = 4000;
    const rows = tf.tidy(() => dropPath(tf.ones([samples, 2, 3]), 0.2).dataSync());
    const kept = Array.from({ length: samples }, (_, i) => rows.subarray(i * 6, i * 6 + 6));
    expect(kept.every((row) => row.every((v) => v === row[0]))).toBe(true);
    expect(new Set(rows)).toEqual(new Set([0, Math.fround(1.25)]));
    const share = kept.filter((row) => row[0] !== 0).length / samples;
    // five standard deviations of a binomial share
    expect(Math.abs(share - 0.8)).toBeLessThan(5 * Math.sqrt((0.8 * 0.2) / samples));
  });

  it('changes nothing outside training, and nothing at rate 0', () => {
    tf.tidy(() => {
      const x = tf.ones([64, 2]);
      const values = (layer: DropPath, training: boolean) =>
        new Set((layer.apply(x, { training }) as tf.Tensor).dataSync());
      expect(values(new DropPath({ rate: 0.5 }), false)).toEqual(new Set([1]));
      expect(values(new DropPath(), true)).toEqual(new Set([1]));
      expect(values(new DropPath({ rate: 0.5 }), true)).toEqual(new Set([0, 2]));
    });
  });
});
