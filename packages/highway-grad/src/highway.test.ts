import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { ShapeError } from './errors.ts';
import { gelu } from './gelu.ts';
import { highwayStage } from './highway.ts';
import type { PkqWeights, PqWeights } from './highway-weights.ts';
import { registerTrainingKernels } from './kernels/register.ts';
import { packTap, unpackTap } from './packed-tap.ts';
import { packedTaps, type TapSource } from './tap-source.ts';

/** The same stage in plain operations, adapter by adapter: the oracle. */
function plainStage(
  z: tf.Tensor,
  taps: tf.Tensor[],
  w: PqWeights | PkqWeights,
  { skip = true }: { skip?: boolean } = {},
): tf.Tensor {
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
    const a = tf.add(tf.matMul(rows, kernel('down', i)), at(w.down.bias, i));
    const h = gelu(w.mixing ? mixed(tf.reshape(a, [...z.shape.slice(0, 3), -1]), at(w.mixing, i)) : a);
    const e = tf.add(tf.matMul(h as tf.Tensor2D, kernel('up', i)), at(w.up.bias, i));
    const out = tf.reshape(e, z.shape);
    y = tf.add(y, skip ? tf.add(u, out) : out);
  });
  return y;
}

/** h plus the sum over the nine neighbours, each times its weight of the channel; rows again. */
function mixed(h: tf.Tensor, filter: tf.Tensor): tf.Tensor {
  const [b, height, width, m] = h.shape as [number, number, number, number];
  const framed = tf.pad(h as tf.Tensor4D, [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ]); // prettier-ignore
  let y = h;
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      const weight = tf.reshape(tf.slice(filter, [i, j, 0], [1, 1, m]), [m]);
      y = tf.add(y, tf.mul(tf.slice(framed, [0, i, j, 0], [b, height, width, m]), weight));
    }
  }
  return tf.reshape(y, [-1, m]);
}

const normal = (shape: number[], seed: number, std = 0.5) => tf.randomNormal(shape, 0, std, 'float32', seed);

function weightsOf(
  form: 'pq' | 'pkq',
  k: number,
  channels: number,
  m: number,
  r: number,
  mixing = false,
): PqWeights | PkqWeights {
  if (mixing) {
    return { ...weightsOf(form, k, channels, m, r), mixing: normal([k, 3, 3, m], 8) as tf.Tensor4D };
  }
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
  ...(w.mixing ? [w.mixing] : []),
]; // prettier-ignore

function rebuild(form: 'pq' | 'pkq', t: tf.Tensor[]): PqWeights | PkqWeights {
  const parts = { down: { q: t[0], p: t[1], bias: t[2] }, up: { q: t[3], p: t[4], bias: t[5] } };
  if (form === 'pkq') return { ...parts, kernels: t[6], mixing: t[7] } as PkqWeights;
  return { ...parts, mixing: t[6] } as PqWeights;
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
  { form: 'pq', shape: [2, 5, 7, 8], k: 3, m: 4, r: 2, skip: true, mixing: true },
  { form: 'pkq', shape: [1, 1, 3, 4], k: 2, m: 2, r: 2, skip: false, mixing: true },
  // 1.3 MB of width m an adapter: three groups of three, three and one
  { form: 'pq', shape: [1, 50, 50, 8], k: 7, m: 128, r: 2, skip: true },
] as const;

describe.each(['cpu', 'wasm'])('highwayStage on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  it.each(cases)(
    'equals plain operations, values and gradients: $form $shape, $k taps, mixing $mixing',
    ({ form, shape, k, m, r, skip, ...rest }) => {
      if ('mixing' in rest) registerTrainingKernels();
      const before = tf.memory().numTensors;
      tf.tidy(() => {
        const z = normal([...shape], 11);
        const taps = Array.from({ length: k }, (_, i) => normal([...shape], 20 + i));
        const upstream = normal([...shape], 12);
        const weights = flatten(weightsOf(form, k, shape[3], m, r, 'mixing' in rest));
        const run = (stage: typeof plainStage) => {
          const value = stage(z, taps, rebuild(form, weights), { skip });
          const grads = tf.grads((...args) =>
            tf.sum(tf.mul(stage(args[0]!, taps, rebuild(form, args.slice(1)), { skip }), upstream)),
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

  it('lets gradients through to the taps if asked for', () => {
    tf.tidy(() => {
      const shape = [2, 4, 3, 6];
      const inputs = [1, 2, 3].map((seed) => normal(shape, seed));
      const [w, upstream] = [weightsOf('pq', 2, 6, 3, 2, true), normal(shape, 4)];
      for (const skip of [true, false]) {
        const run = (stage: (z: tf.Tensor, taps: tf.Tensor[]) => tf.Tensor) =>
          tf.grads((z, a, b) => tf.sum(tf.mul(stage(z!, [a!, b!]), upstream)))(inputs);
        const own = run((z, taps) => highwayStage(z, taps, w, { skip, tapGradients: true }));
        run((z, taps) => plainStage(z, taps, w, { skip })).forEach((expected, i) => {
          expect(relativeError(own[i]!, expected), `input ${i}`).toBeLessThan(1e-5);
        });
      }
    });
  });

  it('reads packed taps as their rounded values, and adds their exact sum where it is given', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const shape = [1, 4, 5, 70];
      const [z, a, b, upstream] = [1, 2, 3, 4].map((seed) => normal(shape, seed));
      const packed = [a!, b!].map((u) => packTap(u, 8));
      const rounded = packed.map(unpackTap);
      const weights = flatten(weightsOf('pq', 2, 70, 8, 2));
      const run = (stage: (z: tf.Tensor, w: PqWeights) => tf.Tensor) => [
        stage(z!, rebuild('pq', weights) as PqWeights),
        ...tf.grads((...w) => tf.sum(tf.mul(stage(z!, rebuild('pq', w) as PqWeights), upstream!)))(weights),
      ];
      const source = packedTaps(packed);
      const oneByOne: TapSource = { ...source, each: (saved, _, use) => source.each(saved, 1, use) };
      const own = run((z, w) => highwayStage(z, packed, w));
      run((z, w) => highwayStage(z, oneByOne, w)).forEach((t, i) => {
        expect(relativeError(own[i]!, t), `output ${i}`).toBeLessThan(1e-6);
      });
      run((z, w) => highwayStage(z, rounded, w)).forEach((expected, i) => {
        expect(relativeError(own[i]!, expected), `output ${i}`).toBeLessThan(1e-6);
      });
      const sum = tf.add(a!, b!);
      const exact = run((z, w) => highwayStage(z, packed, w, { sum }));
      const changes = run((z, w) => tf.add(highwayStage(z, rounded, w, { skip: false }), sum));
      changes.forEach((expected, i) => {
        expect(relativeError(exact[i]!, expected), `output ${i}`).toBeLessThan(1e-6);
      });
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves nothing behind where a source of taps fails', () => {
    const [z, w] = [normal([1, 4, 4, 8], 1), weightsOf('pq', 1, 8, 4, 2)];
    const before = tf.memory().numTensors;
    const each = () => {
      throw new Error('no taps today');
    };
    expect(() => highwayStage(z, { count: 1, saved: [], each }, w)).toThrow('no taps today');
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([z, flatten(w)]);
  });

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

  it.each([
    ['the taps', (u: tf.Tensor) => u, [[1, 512, 1, 16]]],
    [
      'the words and scales',
      (u: tf.Tensor) => packTap(u, 8),
      [
        [1, 512, 1, 4],
        [1, 512, 1, 1],
      ],
    ],
  ])(
    'holds %s and the weights between forward and backward, nothing of the hidden width',
    (_, hold, shapes) => {
      const [n, channels, m, r, k] = [512, 16, 8, 2, 3];
      tf.tidy(() => {
        const z = normal([1, n, 1, channels], 1);
        const taps = Array.from({ length: k }, (_, i) => normal([1, n, 1, channels], i));
        const given = taps.map((u) => hold(u) as tf.Tensor);
        const weights = flatten(weightsOf('pq', k, channels, m, r));
        const variables = weights.map((w) => tf.variable(w));
        let held: number[][] = [];
        const { grads } = tf.variableGrads(() => {
          const y = highwayStage(z, given, rebuild('pq', variables) as PqWeights);
          const tape = (tf.engine() as unknown as { state: { activeTape: { saved?: tf.Tensor[] }[] } }).state
            .activeTape;
          held = tape.flatMap((node) => node.saved ?? []).map((t) => t.shape);
          return tf.sum(y) as tf.Scalar;
        }, variables);
        tf.dispose(grads);
        tf.dispose(variables);
        const big = held.filter((shape) => shape.reduce((a, b) => a * b, 1) >= n);
        expect(big).toEqual(taps.flatMap(() => shapes));
      });
    },
  );

  it('names taps and weights that do not fit', () => {
    tf.tidy(() => {
      const z = normal([1, 4, 4, 8], 1);
      const w = weightsOf('pq', 1, 8, 4, 2);
      expect(() => highwayStage(z, [normal([1, 4, 2, 8], 1)], w)).toThrow(ShapeError);
      expect(() => highwayStage(z, [z, z], w)).toThrow(/do not fit the taps/);
      expect(() => highwayStage(z, [packTap(normal([1, 4, 2, 8], 1), 8)], w)).toThrow(
        /received: \[1,4,2,8\]/,
      );
      const tokens = normal([4, 8], 1);
      expect(() => highwayStage(tokens, [tokens], weightsOf('pq', 1, 8, 4, 2, true))).toThrow(/needs maps/);
    });
  });
});
