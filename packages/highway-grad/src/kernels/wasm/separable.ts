import type * as tf from '@tensorflow/tfjs-core';
import type { WasmKernel } from './backend.ts';
import { gemm } from './mat-mul.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

/**
 * out[b, i, j, c] = Σ_y Σ_x rows[i, y]·columns[j, x]·image[b, y, x, c]. Matrices with few numbers other than zero (all
 * that interpolate or pool) are applied number by number, 10 times faster than matrix products; the others by products.
 */
export const separable: WasmKernel = ({ inputs, backend }) => {
  const x = inputs.x!;
  const [batch, h, w, channels] = x.shape as [number, number, number, number];
  const [rows, columns] = [inputs.rows!, inputs.columns!];
  const [outH, outW] = [rows.shape[0]!, columns.shape[0]!];
  return inWorkspace(backend, (ws) => {
    // the axis that shrinks more goes first
    if (outH * w <= h * outW) {
      const y = along(ws, x, rows, batch, w * channels);
      return ws.keep(along(ws, y, columns, batch * outH, channels), [batch, outH, outW, channels]);
    }
    const y = along(ws, x, columns, batch * h, channels);
    return ws.keep(along(ws, y, rows, batch, outW * channels), [batch, outH, outW, channels]);
  });
};

/** [outer, n, inner] -> [outer, m, inner] by a matrix [m, n]. */
function along(
  ws: Workspace,
  x: tf.TensorInfo,
  matrix: tf.TensorInfo,
  outer: number,
  inner: number,
): tf.TensorInfo {
  const [m, n] = matrix.shape as [number, number];
  const out = ws.make([outer, m, inner]);
  const terms = termsOf(ws.floats(matrix), m, n);
  const count = terms.reduce((sum, { at }) => sum + at.length, 0);
  if (count <= 4 * Math.max(m, n)) {
    combine(ws.floats(x), ws.floats(out), terms, n, outer, inner);
    return out;
  }
  for (let o = 0; o < outer; o++) {
    const [from, to] = [
      { info: x, at: o * n * inner },
      { info: out, at: o * m * inner },
    ];
    gemm(ws, { info: matrix, at: 0 }, from, to, { m, k: n, n: inner });
  }
  return out;
}

/** The numbers of one row of a matrix that are not zero, and their columns. */
interface Terms {
  at: number[];
  weight: number[];
}

function termsOf(matrix: Float32Array, m: number, n: number): Terms[] {
  return Array.from({ length: m }, (_, i) => {
    const terms: Terms = { at: [], weight: [] };
    for (let j = 0; j < n; j++) {
      const weight = matrix[i * n + j]!;
      if (weight === 0) continue;
      terms.at.push(j);
      terms.weight.push(weight);
    }
    return terms;
  });
}

function combine(
  x: Float32Array,
  out: Float32Array,
  terms: Terms[],
  n: number,
  outer: number,
  inner: number,
): void {
  let target = 0;
  for (let o = 0; o < outer; o++) {
    const source = o * n * inner;
    for (const { at, weight } of terms) {
      const end = target + inner;
      if (at.length === 0) out.fill(0, target, end);
      for (let t = 0; t < at.length; t += 2) {
        const [a, wa] = [source + at[t]! * inner, weight[t]!];
        // an odd term is paired with nothing
        const [b, wb] = t + 1 < at.length ? [source + at[t + 1]! * inner, weight[t + 1]!] : [a, 0];
        if (t === 0) for (let i = 0; i < inner; i++) out[target + i] = wa * x[a + i]! + wb * x[b + i]!;
        else for (let i = 0; i < inner; i++) out[target + i]! += wa * x[a + i]! + wb * x[b + i]!;
      }
      target = end;
    }
  }
}
