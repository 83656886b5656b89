import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../test/backends.ts';
import { compare } from '../test/numbers.ts';
import { gelu, geluDerivative, normalCdf } from './gelu.ts';

/** Φ in double precision, by a series of positive terms: Φ(x) = 1/2 + φ(x)·(x + x³/3 + x⁵/15 + …). */
function phi(x: number): number {
  if (Math.abs(x) > 12) return x > 0 ? 1 : 0;
  let [sum, term] = [x, x];
  for (let k = 3; Math.abs(term) > 1e-18 * Math.abs(sum); k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + sum * density(x);
}
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

// more than one block of the wasm kernels, with 0, tiny and huge values
const xs = Float32Array.from({ length: 40_000 }, (_, i) => (i - 20_000) / 2500);
xs.set([0, -0, 1e-7, -1e-7, 50, -50, 1e10, -1e10, 3e38, -3e38]);

describeOnBackends('gelu', () => {
  test('values and derivatives in double precision', () => {
    tf.tidy(() => {
      const x = tf.tensor1d(xs);
      const cdf = normalCdf(x);
      expect(compare(cdf.dataSync(), xs.map(phi)).difference).toBeLessThan(4e-7);
      const inner = (t: tf.Tensor) => tf.slice(t, [10]).dataSync();
      const wanted = Array.from(xs.slice(10), (x) => x * phi(x));
      expect(compare(inner(gelu(x)), wanted).difference).toBeLessThan(2e-6);
      const slope = Array.from(xs.slice(10), (x) => phi(x) + x * density(x));
      expect(compare(inner(geluDerivative(x, cdf)), slope).difference).toBeLessThan(1e-6);
      const gradient = tf.grad((x) => gelu(x))(x);
      expect(compare(inner(gradient), slope).difference).toBeLessThan(1e-6);
    });
  });

  test('far from 0 it is 0 or x, exactly', () => {
    tf.tidy(() => {
      const y = gelu(tf.tensor1d([0, 50, -50, 1e10, -1e10, 3e38])).dataSync();
      expect([...y].map((v) => v + 0)).toEqual([0, 50, 0, 1e10, 0, Math.fround(3e38)]);
    });
  });

  test('it keeps its input alone, of any shape', () => {
    const x = tf.ones([2, 3, 4]);
    let held = 0;
    const dx = tf.grad((x) => {
      const before = tf.memory().numTensors;
      const y = gelu(x);
      held = tf.memory().numTensors - before - 1;
      return y;
    })(x);
    expect(held).toBe(1);
    expect(dx.shape).toEqual([2, 3, 4]);
    tf.dispose([x, dx]);
  });
});
