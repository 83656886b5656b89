import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, describe, expect, it } from 'vitest';
import { orthogonalRegularizer, svdFactors } from './factor-init.ts';
import { leadingSvd } from './low-rank-svd.ts';

/** Entries of a row-major matrix product aᵀ·b; a [n, p], b [n, q]. */
function gram(a: ArrayLike<number>, b: ArrayLike<number>, n: number): number[][] {
  const [p, q] = [a.length / n, b.length / n];
  return Array.from({ length: p }, (_, i) =>
    Array.from({ length: q }, (_, j) => {
      let sum = 0;
      for (let row = 0; row < n; row++) sum += a[row * p + i]! * b[row * q + j]!;
      return sum;
    }),
  );
}

/** Largest difference from the matrix with `diagonal` on its diagonal. */
const offDiagonal = (matrix: number[][], diagonal: ArrayLike<number>) =>
  Math.max(...matrix.flatMap((row, i) => row.map((v, j) => Math.abs(v - (i === j ? diagonal[i]! : 0)))));

const ones = (size: number) => new Array<number>(size).fill(1);

describe('leadingSvd', () => {
  it.each([
    [9, 5],
    [5, 9],
    [40, 30],
  ])('gives back the parts that a matrix of %i × %i was made of', (rows, cols) => {
    // orthonormal columns from the cosine transform, values that fall by thirds
    const cosines = (n: number, j: number) =>
      Array.from(
        { length: n },
        (_, i) => Math.sqrt((j ? 2 : 1) / n) * Math.cos((Math.PI * (2 * i + 1) * j) / (2 * n)),
      );
    const size = Math.min(rows, cols);
    const values = Array.from({ length: size }, (_, j) => 3 ** -j);
    const a = Float32Array.from({ length: rows * cols }, (_, at) => {
      const [i, k] = [Math.floor(at / cols), at % cols];
      return values.reduce((sum, s, j) => sum + s * cosines(rows, j)[i]! * cosines(cols, j)[k]!, 0);
    });
    const { u, s, v } = leadingSvd(a, rows, cols, 3);
    s.forEach((value, j) => {
      expect(Math.abs(value - values[j]!)).toBeLessThan(1e-6);
    });
    for (let j = 0; j < 3; j++) {
      const along = (x: Float64Array, n: number) =>
        cosines(n, j).reduce((sum, c, i) => sum + c * x[i * 3 + j]!, 0);
      // each vector up to its sign, and the two signs together
      expect(along(u, rows) * along(v, cols)).toBeCloseTo(1, 5);
      expect(Math.abs(along(u, rows))).toBeCloseTo(1, 5);
    }
  });

  it('a flat spectrum: orthonormal vectors, A·V = U·diag(s)', () => {
    const [rows, cols, rank] = [48, 24, 16];
    const a = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(i * i));
    const { u, s, v } = leadingSvd(a, rows, cols, rank);
    expect(offDiagonal(gram(u, u, rows), ones(rank))).toBeLessThan(1e-9);
    expect(offDiagonal(gram(v, v, cols), ones(rank))).toBeLessThan(1e-9);
    const transposed = Float64Array.from(
      { length: rows * cols },
      (_, at) => a[(at % rows) * cols + Math.floor(at / rows)]!,
    );
    const av = gram(transposed, v, cols).flat(); // [rows, rank]
    expect(offDiagonal(gram(u, av, rows), s)).toBeLessThan(1e-6);
    expect([...s]).toEqual([...s].sort((x, y) => y - x));
  });
});

describe.each(['cpu', 'wasm'])('factors on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  it('the factors of every kernel: orthonormal columns and rows, p = diag(s)·vᵀ', () => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      const { q, s, vt, p } = svdFactors(6, 12, 8, 4, 5);
      const [qs, ss, vts, ps] = [
        q.apply([2, 3, 12, 4], 'float32'),
        s.apply([2, 3, 4, 4], 'float32'),
        vt.apply([2, 3, 4, 8], 'float32'),
        p.apply([2, 3, 4, 8], 'float32'),
      ];
      const eye = tf.tile(tf.eye(4, 4, [1]), [6, 1, 1]);
      const flat = (t: tf.Tensor) => tf.reshape(t, [-1, t.shape[2]!, t.shape[3]!]) as tf.Tensor3D;
      const far = (a: tf.Tensor, b: tf.Tensor) => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!;
      expect(far(tf.matMul(flat(qs), flat(qs), true), eye)).toBeLessThan(1e-5);
      expect(far(tf.matMul(flat(vts), flat(vts), false, true), eye)).toBeLessThan(1e-5);
      expect(far(tf.matMul(flat(ss), flat(vts)), flat(ps))).toBeLessThan(1e-6);
      // drawn from ±1/√12: singular values about (√12 + √8) · 1/√36
      const largest = tf.max(ss).dataSync()[0]!;
      expect(largest).toBeGreaterThan(0.7);
      expect(largest).toBeLessThan(1.4);
      // no two kernels alike
      const [first, second] = tf.unstack(flat(qs));
      expect(far(first!, second!)).toBeGreaterThan(0.1);
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('ranks beyond the size of the matrix can learn: drawn in q, zero in p', () => {
    tf.tidy(() => {
      const { q, p } = svdFactors(1, 3, 5, 4, 1);
      const [qs, ps] = [q.apply([1, 3, 4], 'float32'), p.apply([1, 4, 5], 'float32')];
      const extra = tf.slice(qs, [0, 0, 3], [1, 3, 1]);
      expect(tf.min(tf.abs(extra)).dataSync()[0]).toBeGreaterThan(0);
      expect(tf.sum(tf.abs(tf.slice(ps, [0, 3, 0], [1, 1, 5]))).dataSync()[0]).toBe(0);
      expect(tf.min(tf.abs(tf.slice(ps, [0, 0, 0], [1, 3, 5]))).dataSync()[0]).toBeGreaterThan(0);
    });
  });

  it('the orthogonal loss of a known factor, and its gradient 4·w·q(qᵀq - I)', () => {
    expect(orthogonalRegularizer(0)).toBeUndefined();
    const regularizer = orthogonalRegularizer(0.5)!;
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      // qᵀq - I is [[0, 2], [2, 3]] and, for the second factor, zero
      const q = tf.tensor3d([
        [
          [1, 2],
          [0, 0],
        ],
        [
          [1, 0],
          [0, 1],
        ],
      ]);
      const loss = (t: tf.Tensor) => regularizer.apply(t) as tf.Scalar;
      expect(loss(q).dataSync()[0]).toBe(0.5 * (4 + 4 + 9));
      const gradient = tf.grad(loss)(q).arraySync();
      expect(gradient).toEqual([
        [
          [2 * (0 + 4), 2 * (2 + 6)],
          [0, 0],
        ],
        [
          [0, 0],
          [0, 0],
        ],
      ]);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
