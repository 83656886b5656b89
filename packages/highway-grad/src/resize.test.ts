import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeOnBackends } from '../test/backends.ts';
import { compare, random } from '../test/numbers.ts';
import { type FixtureTensor, readFixture } from '../test/read-fixture.ts';
import { ShapeError } from './errors.ts';
import { adaptiveAveragePool, resizeBilinear, separable } from './resize.ts';
import { linearMatrix, nearestMatrix, windowMatrix } from './sampling.ts';

const fixture = readFixture('resize.safetensors');
const resizeCases = Object.keys(fixture).flatMap((key) => /^(resize\..*)\.in$/.exec(key)?.[1] ?? []);
const poolCases = Object.keys(fixture).flatMap((key) => /^(pool\..*\.to\d)$/.exec(key)?.[1] ?? []);

/** Reference maps are NCHW. */
function nhwc({ shape, data }: FixtureTensor): tf.Tensor4D {
  return tf.tidy(() =>
    tf.transpose(tf.tensor4d(data, shape as [number, number, number, number]), [0, 2, 3, 1]),
  );
}

type Resize = (x: tf.Tensor4D, size: [number, number]) => tf.Tensor4D;

function expectReference(
  op: Resize,
  input: string,
  output: string,
  upstream: string,
  gradient: string,
): void {
  const before = tf.memory().numTensors;
  const differences = tf.tidy(() => {
    const x = nhwc(fixture[input]!);
    const wanted = nhwc(fixture[output]!);
    const size: [number, number] = [wanted.shape[1], wanted.shape[2]];
    const dx = tf.grad((x) => op(x as tf.Tensor4D, size))(x, nhwc(fixture[upstream]!));
    return [
      compare(op(x, size).dataSync(), wanted.dataSync()),
      compare(dx.dataSync(), nhwc(fixture[gradient]!).dataSync()),
    ];
  });
  expect(differences[0]!.difference).toBeLessThan(1e-5);
  expect(differences[1]!.difference).toBeLessThan(1e-5 + 1e-6 * differences[1]!.largest);
  expect(tf.memory().numTensors).toBe(before);
}

describeOnBackends('resizing', () => {
  test.each(resizeCases)('%s equals PyTorch', (name) => {
    const align = name.endsWith('align1');
    const op: Resize = (x, size) => resizeBilinear(x, size, align);
    expectReference(op, `${name}.in`, `${name}.out`, `${name}.upstream`, `${name}.grad`);
  });

  test.each(poolCases)('%s equals PyTorch', (name) => {
    const input = `${name.replace(/\.to\d$/, '')}.in`;
    expectReference(adaptiveAveragePool, input, name, `${name}.upstream`, `${name}.grad`);
  });

  test('separable equals its definition, with dense and with sparse matrices, wide and narrow rows', () => {
    for (const [shape, h, w] of [
      [[2, 5, 7, 3], 4, 9],
      [[2, 5, 40, 20], 3, 50],
      [[1, 6, 4, 2], 2, 1],
    ] as const) {
      for (const sparse of [false, true]) {
        const [rows, columns] = [matrix(h, shape[1], sparse), matrix(w, shape[2], sparse)];
        const x = random<tf.Rank.R4>([...shape], 3);
        const got = separable(x, rows, columns);
        expect(got.shape).toEqual([shape[0], h, w, shape[3]]);
        expect(compare(got.dataSync(), definition(x, rows, columns)).difference).toBeLessThan(1e-5);
        tf.dispose([rows, columns, x, got]);
      }
    }
  });

  test('the gradient of separable is its transpose: <dy, f(x)> = <f*(dy), x>', () => {
    tf.tidy(() => {
      const [rows, columns] = [matrix(4, 5, false), matrix(9, 7, false)];
      const x = random<tf.Rank.R4>([2, 5, 7, 3], 3);
      const dy = random<tf.Rank.R4>([2, 4, 9, 3], 4);
      const dot = (a: tf.Tensor, b: tf.Tensor) => tf.sum(tf.mul(a, b)).dataSync()[0]!;
      const dx = tf.grad((x) => separable(x as tf.Tensor4D, rows, columns))(x, dy);
      expect(dot(dx, x)).toBeCloseTo(dot(dy, separable(x, rows, columns)), 4);
    });
  });

  test('matrices may be disposed of between forward and backward', () => {
    const x = random<tf.Rank.R4>([1, 4, 4, 2]);
    const gradient = tf.grad((x) => {
      const [rows, columns] = [matrix(2, 4, false), matrix(2, 4, false)];
      const y = separable(x as tf.Tensor4D, rows, columns);
      tf.dispose([rows, columns]);
      return y;
    });
    const dx = gradient(x);
    expect(dx.dataSync().every(Number.isFinite)).toBe(true);
    tf.dispose([x, dx]);
  });

  test('resizing keeps nothing for the backward pass', () => {
    const x = random<tf.Rank.R4>([1, 8, 8, 4]);
    const held = (op: Resize) => {
      let tensors = 0;
      const dx = tf.grad((x) => {
        const before = tf.memory().numTensors;
        const y = op(x as tf.Tensor4D, [4, 4]);
        tensors = tf.memory().numTensors - before - 1;
        return y;
      })(x);
      dx.dispose();
      return tensors;
    };
    expect(held(resizeBilinear)).toBe(0);
    expect(held(adaptiveAveragePool)).toBe(0);
    x.dispose();
  });

  test('a size or a matrix that does not fit is named', () => {
    const x = tf.zeros<tf.Rank.R4>([1, 4, 6, 2]);
    expect(() => resizeBilinear(x, [0, 3])).toThrow(ShapeError);
    expect(() => adaptiveAveragePool(x, [2.5, 3])).toThrow(/images \[1,4,6,2\] and \[2.5,3\]/);
    expect(() => resizeBilinear(tf.squeeze(x) as unknown as tf.Tensor4D, [3, 3])).toThrow(/rank 4/);
    const rows = tf.zeros<tf.Rank.R2>([2, 5]);
    expect(() => separable(x, rows, rows)).toThrow("rows [h', 4] and columns [w', 6]");
    tf.dispose([x, rows]);
  });
});

test('matrices of one axis', () => {
  const rows = ({ to, from, data }: { to: number; from: number; data: Float32Array }) =>
    Array.from({ length: to }, (_, i) => [...data.slice(i * from, (i + 1) * from)]);
  expect(rows(linearMatrix(4, 2, false, true))).toEqual([
    [1, 0],
    [0.75, 0.25],
    [0.25, 0.75],
    [0, 1],
  ]);
  expect(rows(linearMatrix(1, 3, true, false))).toEqual([[1, 0, 0]]);
  expect(rows(nearestMatrix(3, 2, false, false))).toEqual([
    [1, 0],
    [1, 0],
    [0, 1],
  ]);
  // windows of 2 with stride 2, from 1 before the start: the first and the last hold one input
  expect(rows(windowMatrix(3, 4, 2, 2, 1))).toEqual([
    [1, 0, 0, 0],
    [0, 0.5, 0.5, 0],
    [0, 0, 0, 1],
  ]);
});

function matrix(to: number, from: number, sparse: boolean): tf.Tensor2D {
  return sparse
    ? tf.tensor2d(linearMatrix(to, from, false, true).data, [to, from])
    : random<tf.Rank.R2>([to, from], 7);
}

function definition(x: tf.Tensor4D, rows: tf.Tensor2D, columns: tf.Tensor2D): Float32Array {
  const [batch, h, w, channels] = x.shape;
  const [outH, outW] = [rows.shape[0], columns.shape[0]];
  const [image, r, c] = [x.dataSync(), rows.dataSync(), columns.dataSync()];
  const out = new Float32Array(batch * outH * outW * channels);
  let at = 0;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < outH; i++) {
      for (let j = 0; j < outW; j++) {
        for (let k = 0; k < channels; k++, at++) {
          let sum = 0;
          for (let y = 0; y < h; y++) {
            for (let z = 0; z < w; z++) {
              sum += r[i * h + y]! * c[j * w + z]! * image[((b * h + y) * w + z) * channels + k]!;
            }
          }
          out[at] = sum;
        }
      }
    }
  }
  return out;
}
