import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { expectClose, leakOf, normal, onBackends } from '../../../tests/support/tensors.ts';
import { sumOf } from './sum.ts';

onBackends('sumOf', () => {
  it('sums tensors, each with the whole gradient, and keeps none', () => {
    const terms = [1, 2, 3].map((seed) => normal([2, 3], seed));
    const upstream = normal([2, 3], 4);
    expectClose(sumOf(terms), tf.add(tf.add(terms[0]!, terms[1]!), terms[2]!), 0);
    for (const grad of tf.grads((...xs) => sumOf(xs))(terms, upstream)) expectClose(grad, upstream, 0);
    expect(leakOf(() => tf.dispose(tf.grads((...xs) => sumOf(xs))(terms, upstream)))).toBe(0);
  });
});
