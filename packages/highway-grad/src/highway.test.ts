import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from './errors.ts';
import { gelu } from './gelu.ts';
import { highwayStage, type PkqWeights, type PqWeights } from './highway.ts';

/** The same stage in plain operations, adapter by adapter: the oracle. */
function plainStage(z: tf.Tensor, taps: tf.Tensor[], w: PqWeights | PkqWeights, skip = true): tf.Tensor {
  const channels = z.shape.at(-1)!;
  const at = (t: tf.Tensor, i: number) => tf.squeeze(tf.slice(t, [i], [1]), [0]);
  const kernel = (part: 'down' | 'up', i: number) => {
    const [q, p] = [at(w[part].q, i), at(w[part].p, i)];
    if (!('kernels' in w)) return tf.matMul(q as tf.Tensor2D, p as tf.Tensor2D);
    return tf.sum(tf.matMul(tf.matMul(q, at(w.kernels, i)), p), 0) as tf.Tensor2D;
  };
  let y: tf.Tensor = z;
  taps.forEach((u, i) => {
    const rows = tf.reshape(u, [-1, channels]) as tf.Tensor2D;
    const h = gelu(tf.add(tf.matMul(rows, kernel('down', i)), at(w.down.bias, i)));
    const e = tf.add(tf.matMul(h as tf.Tensor2D, kernel('up', i)), at(w.up.bias, i));
    const out = tf.reshape(e, z.shape);
    y = tf.add(y, skip ? tf.add(u, out) : out);
  });
  return y;
}

const normal = (shape: number[], seed: number, std = 0.5) => tf.randomNormal(shape, 0, std, 'float32', seed);

function weightsOf(
  form: 'pq' | 'pkq',
  k: number,
  channels: number,
  m: number,
  r: number,
): PqWeights | PkqWeights {
  const biases = { down: normal([k, m], 1) as tf.Tensor2D, up: normal([k, channels], 2) as tf.Tensor2D };
  if (form === 'pq') {
    return {
      down: {
        q: normal([k, channels, r], 3),
        p: normal([k, r, m], 4),
        bias: biases.down,
      } as PqWeights['down'],
      up: { q: normal([k, m, r], 5), p: normal([k, r, channels], 6), bias: biases.up } as PqWeights['up'],
    };
  }
  return {
    down: {
      q: normal([k, 2, channels, r], 3),
      p: normal([k, 2, r, m], 4),
      bias: biases.down,
    } as PkqWeights['down'],
    up: {
      q: normal([k, 2, m, r], 5),
      p: normal([k, 2, r, channels], 6),
      bias: biases.up,
    } as PkqWeights['up'],
    kernels: normal([k, 2, r, r], 7) as tf.Tensor4D,
  };
}

const flatten = (w: PqWeights | PkqWeights): tf.Tensor[] => [
  w.down.q,
  w.down.p,
  w.down.bias,
  w.up.q,
  w.up.p,
  w.up.bias,
  ...('kernels' in w ? [w.kernels] : []),
]; // prettier-ignore

function rebuild(form: 'pq' | 'pkq', t: tf.Tensor[]): PqWeights | PkqWeights {
  const parts = { down: { q: t[0], p: t[1], bias: t[2] }, up: { q: t[3], p: t[4], bias: t[5] } };
  return (form === 'pq' ? parts : { ...parts, kernels: t[6] }) as PqWeights | PkqWeights;
}

/** Largest difference, relative to the largest entry of the expected tensor. */
function relativeError(actual: tf.Tensor, expected: tf.Tensor): number {
  const [a, b] = [actual.dataSync(), expected.dataSync()];
  expect(actual.shape).toEqual(expected.shape);
  let [worst, size] = [0, 1e-12];
  b.forEach((v, i) => {
    worst = Math.max(worst, Math.abs(v - a[i]!));
    size = Math.max(size, Math.abs(v));
  });
  return worst / size;
}

const cases = [
  { form: 'pq', shape: [2, 5, 7, 8], k: 3, m: 4, r: 2, skip: true },
  { form: 'pq', shape: [1, 3, 3, 6], k: 1, m: 3, r: 2, skip: false },
  { form: 'pkq', shape: [2, 5, 7, 8], k: 3, m: 4, r: 3, skip: true },
  // 1.3 MB of width m an adapter: three groups of three, three and one
  { form: 'pq', shape: [1, 50, 50, 8], k: 7, m: 128, r: 2, skip: true },
] as const;

describe.each(['cpu', 'wasm'])('highwayStage on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  it.each(cases)(
    'equals plain operations, values and gradients: $form $shape, $k taps',
    ({ form, shape, k, m, r, skip }) => {
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        const z = normal([...shape], 11);
        const taps = Array.from({ length: k }, (_, i) => normal([...shape], 20 + i));
        const upstream = normal([...shape], 12);
        const weights = flatten(weightsOf(form, k, shape[3], m, r));
        const run = (stage: typeof plainStage) => {
          const value = stage(z, taps, rebuild(form, weights), skip);
          const grads = tf.grads((...args) =>
            tf.sum(tf.mul(stage(args[0]!, taps, rebuild(form, args.slice(1)), skip), upstream)),
          )([z, ...weights]);
          return [value, ...grads];
        };
        const [fused, plain] = [run(highwayStage), run(plainStage)];
        fused.forEach((t, i) => {
          expect(relativeError(t, plain[i]!), `output ${i}`).toBeLessThan(1e-5);
        });
      });
      expect(tf.memory().numTensors).toBe(before);
    },
  );

  it('with a zero last factor gives the sum of the taps bit for bit', () => {
    tf.tidy(() => {
      const shape = [1, 9, 7, 8];
      const w = weightsOf('pq', 2, 8, 4, 2) as PqWeights;
      w.up.p = tf.zerosLike(w.up.p);
      w.up.bias = tf.zerosLike(w.up.bias);
      const [z, a, b] = [normal(shape, 1), normal(shape, 2), normal(shape, 3)];
      const y = highwayStage(z!, [a!, b!], w).dataSync();
      expect(y).toEqual(tf.add(tf.add(z!, a!), b!).dataSync());
    });
  });

  it('holds the taps and the weights between forward and backward, nothing of the hidden width', () => {
    const [n, channels, m, r, k] = [512, 16, 8, 2, 3];
    tf.tidy(() => {
      const z = normal([1, n, 1, channels], 1);
      const taps = Array.from({ length: k }, (_, i) => normal([1, n, 1, channels], i));
      const weights = flatten(weightsOf('pq', k, channels, m, r));
      const variables = weights.map((w) => tf.variable(w));
      let held: number[][] = [];
      const { grads } = tf.variableGrads(() => {
        const y = highwayStage(z, taps, rebuild('pq', variables) as PqWeights);
        const tape = (tf.engine() as unknown as { state: { activeTape: { saved?: tf.Tensor[] }[] } }).state
          .activeTape;
        held = tape.flatMap((node) => node.saved ?? []).map((t) => t.shape);
        return tf.sum(y) as tf.Scalar;
      }, variables);
      tf.dispose(grads);
      tf.dispose(variables);
      const big = held.filter((shape) => shape.reduce((a, b) => a * b, 1) >= n * r);
      expect(big).toEqual(taps.map((u) => u.shape));
    });
  });

  it('names taps and weights that do not fit', () => {
    tf.tidy(() => {
      const z = normal([1, 4, 4, 8], 1);
      const w = weightsOf('pq', 1, 8, 4, 2);
      expect(() => highwayStage(z, [normal([1, 4, 2, 8], 1)], w)).toThrow(ShapeError);
      expect(() => highwayStage(z, [z, z], w)).toThrow(/do not fit the taps/);
    });
  });
});
