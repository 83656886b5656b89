import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { maxDifference } from '../../test/tiny-model.ts';
import { convMap, denseMap, type LinearMap } from './linear-map.ts';
import { loraAffine } from './lora-op.ts';

interface Case {
  name: string;
  map: LinearMap;
  /** The same map in plain operations. */
  plain(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor;
  x: number[];
  /** Shape of the kernel. */
  kernel: number[];
  parts?: number;
  on?: number[];
  gate?: boolean;
  dropout?: boolean;
  /** Whether tfjs has the gradient of the plain map. */
  gradient?: boolean;
}

const conv = (strides: [number, number], padding: 'same' | 'valid', dilation: [number, number]) => ({
  map: convMap({ strides, padding, dilation }),
  plain: (x: tf.Tensor, kernel: tf.Tensor) =>
    tf.conv2d(x as tf.Tensor4D, kernel as tf.Tensor4D, strides, padding, 'NHWC', dilation),
});
const dense = {
  map: denseMap,
  plain: (x: tf.Tensor, kernel: tf.Tensor) =>
    tf.reshape(tf.matMul(tf.reshape(x, [-1, x.shape.at(-1)!]), kernel as tf.Tensor2D), [
      ...x.shape.slice(0, -1),
      kernel.shape[1]!,
    ]),
};

const cases: Case[] = [
  { name: 'dense', ...dense, x: [2, 5, 4], kernel: [4, 6] },
  { name: 'dense with dropout', ...dense, x: [2, 5, 4], kernel: [4, 6], dropout: true },
  { name: 'dense with a gate', ...dense, x: [7, 4], kernel: [4, 6], gate: true },
  { name: 'dense with a gate and dropout', ...dense, x: [7, 4], kernel: [4, 6], gate: true, dropout: true },
  { name: 'two of three', ...dense, x: [2, 3, 4], kernel: [4, 9], parts: 3, on: [0, 2], gate: true },
  { name: 'the last of three', ...dense, x: [2, 3, 4], kernel: [4, 9], parts: 3, on: [2] },
  { name: 'conv', ...conv([2, 1], 'same', [1, 1]), x: [2, 6, 7, 3], kernel: [3, 2, 3, 4], dropout: true },
  {
    name: 'conv with a gate',
    ...conv([1, 2], 'valid', [1, 1]),
    x: [2, 6, 7, 3],
    kernel: [2, 3, 3, 4],
    gate: true,
  },
  {
    name: 'dilated conv',
    ...conv([1, 1], 'same', [2, 3]),
    x: [1, 8, 9, 2],
    kernel: [3, 2, 2, 3],
    gradient: false,
  },
];

describe.each(['cpu', 'wasm'])('loraAffine on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });

  it.each(cases)('$name equals plain operations, and so do its gradients', (config) => {
    const { map, plain, parts = 1, on = [0], gradient = true } = config;
    const [rank, scale] = [2, 1.5];
    let seed = 1;
    const draw = (shape: number[]) => tf.randomNormal(shape, 0, 1, 'float32', seed++);
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const outputs = config.kernel.at(-1)!;
      const size = outputs / parts;
      const x = draw(config.x);
      const [kernel, bias] = [draw(config.kernel), draw([outputs])];
      const a = draw([...config.kernel.slice(0, -1), rank * on.length]);
      const b = draw([on.length, rank, size]) as tf.Tensor3D;
      const gate = config.gate ? [draw([outputs])] : [];
      const mask = config.dropout ? tf.dropout(tf.ones(config.x), 0.4, undefined, 5) : undefined;
      const numbers = { rank, scale, fused: { parts, on }, mask };
      const ours = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor, gate?: tf.Tensor) => {
        const factors = { a, b: b as tf.Tensor3D, gate: gate as tf.Tensor1D };
        return loraAffine(x, { map, kernel, bias }, factors, numbers);
      };
      const oracle = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor, gate?: tf.Tensor) => {
        const read = mask ? tf.mul(x, mask) : x;
        const low = plain(read, a);
        const lows = on.length === 1 ? [low] : tf.split(low, on.length, -1);
        const each = lows.map((part, i) =>
          dense.plain(part, tf.reshape(tf.slice(b, [i, 0, 0], [1, -1, -1]), [rank, size])),
        );
        const zero = tf.zerosLike(each[0]!);
        const delta = tf.mul(
          tf.concat(
            Array.from({ length: parts }, (_, i) => each[on.indexOf(i)] ?? zero),
            -1,
          ),
          scale,
        );
        const whole = tf.add(plain(x, kernel), bias);
        if (!gate) return tf.add(whole, delta);
        return tf.add(tf.add(whole, tf.mul(plain(read, kernel), tf.sub(gate, 1))), tf.mul(delta, gate));
      };
      const given = [x, a, b, ...gate] as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor?];
      const y = ours(...given);
      expect(maxDifference(y, oracle(...given))).toBeLessThan(1e-4);
      const g = draw(y.shape);
      const gradients = (fn: (...args: [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor?]) => tf.Tensor) =>
        tf.grads((...args) => tf.sum(tf.mul(fn(...(args as typeof given)), g)))(given as tf.Tensor[]);
      const mine = gradients(ours);
      if (gradient) {
        gradients(oracle).forEach((expected, i) => {
          expect(maxDifference(mine[i]!, expected)).toBeLessThan(1e-4);
        });
        return;
      }
      // along one direction of each argument: the map is linear in each, so that one large step is exact
      given.forEach((start, i) => {
        const direction = draw(start!.shape);
        const at = (sign: number) =>
          tf
            .sum(
              tf.mul(
                oracle(
                  ...(given.map((t, j) =>
                    j === i ? tf.add(t!, tf.mul(direction, sign)) : t,
                  ) as typeof given),
                ),
                g,
              ),
            )
            .dataSync()[0]!;
        const found = tf.sum(tf.mul(mine[i]!, direction)).dataSync()[0]!;
        expect(found).toBeCloseTo((at(1) - at(-1)) / 2, 3);
      });
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
