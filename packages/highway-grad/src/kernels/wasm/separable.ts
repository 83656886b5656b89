import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf, type WasmKernel } from './backend.ts';
import { gemm } from './mat-mul.ts';
import { inWorkspace, type Place, type Workspace } from './workspace.ts';

/** From this row length on, XNNPACK's calls (about 0.5 µs each) are faster than a loop of ours. */
const longRow = 512;

/**
 * out[b, i, j, c] = Σ_y Σ_x rows[i, y]·columns[j, x]·image[b, y, x, c]: each axis is brought to the front and applied
 * there; the axis that shrinks more goes first.
 */
export const separable: WasmKernel = ({ inputs, backend }) => {
  const x = inputs.x!;
  const [, h, w] = x.shape as [number, number, number, number];
  const [rows, columns] = [inputs.rows!, inputs.columns!];
  const [outH, outW] = [rows.shape[0]!, columns.shape[0]!];
  return inWorkspace(backend, (ws) => {
    const move = (x: tf.TensorInfo, perm: number[]) => {
      const moved = ws.run('Transpose', { x }, { perm });
      ws.free(x);
      return moved;
    };
    if (outH * w <= h * outW) {
      const high = applied(ws, rows, move(x, [1, 0, 2, 3])); // [h', batch, w, c]
      const wide = applied(ws, columns, move(high, [2, 1, 0, 3])); // [w', batch, h', c]
      return ws.keep(move(wide, [1, 2, 0, 3]));
    }
    const wide = applied(ws, columns, move(x, [2, 0, 1, 3])); // [w', batch, h, c]
    const high = applied(ws, rows, move(wide, [2, 1, 0, 3])); // [h', batch, w', c]
    return ws.keep(move(high, [1, 0, 2, 3]));
  });
};

/** A matrix [m, n] times [n, …]; frees the latter. */
function applied(ws: Workspace, matrix: tf.TensorInfo, x: tf.TensorInfo): tf.TensorInfo {
  const [m, n] = matrix.shape as [number, number];
  const rest = x.shape.slice(1);
  const row = sizeOf(rest);
  const out = ws.make([m, ...rest]);
  const terms = termsOf(ws.floats(matrix), m, n);
  const count = terms.reduce((sum, { length }) => sum + length, 0);
  // matrices that interpolate or pool are nearly empty; for others, a matrix product has less to do
  if (count > 4 * Math.max(m, n)) {
    const [a, b, c] = [matrix, x, out].map((info) => ({ info, at: 0 })) as [Place, Place, Place];
    gemm(ws, a, b, c, { m, k: n, n: row });
  } else if (row >= longRow) {
    combineNatively(ws, terms, matrix, x, out, row);
  } else {
    combine(terms, ws.floats(matrix), ws.floats(x), ws.floats(out), row);
  }
  ws.free(x);
  return out;
}

/** For each row of a matrix, the columns of its numbers other than zero. */
function termsOf(matrix: Float32Array, m: number, n: number): number[][] {
  return Array.from({ length: m }, (_, i) => {
    const columns: number[] = [];
    for (let j = 0; j < n; j++) if (matrix[i * n + j] !== 0) columns.push(j);
    return columns;
  });
}

function combineNatively(
  ws: Workspace,
  terms: number[][],
  matrix: tf.TensorInfo,
  x: tf.TensorInfo,
  out: tf.TensorInfo,
  row: number,
): void {
  const n = matrix.shape[1]!;
  const product = ws.make([row]);
  const productId = ws.id(product);
  const mark = ws.viewCount;
  const shapes = ws.ints([row, 1]);
  const sources = Array.from({ length: n }, (_, j) => ws.view({ info: x, at: j * row }, row));
  const [multiply, add] = [ws.native('Multiply', 8), ws.native('Add', 8)];
  for (const [i, columns] of terms.entries()) {
    const target = ws.view({ info: out, at: i * row }, row);
    if (columns.length === 0) ws.floats(out).fill(0, i * row, (i + 1) * row);
    for (const [k, j] of columns.entries()) {
      const weight = ws.view({ info: matrix, at: i * n + j }, 1);
      multiply(sources[j]!, shapes, 1, weight, shapes + 4, 1, 0, k === 0 ? target : productId);
      if (k > 0) add(target, shapes, 1, productId, shapes, 1, 0, target);
    }
  }
  ws.dropViews(mark);
  ws.free(product);
}

function combine(
  terms: number[][],
  matrix: Float32Array,
  x: Float32Array,
  out: Float32Array,
  row: number,
): void {
  const n = matrix.length / terms.length;
  out.fill(0);
  for (const [i, columns] of terms.entries()) {
    for (const j of columns) {
      const weight = matrix[i * n + j]!;
      for (let k = 0; k < row; k++) out[i * row + k]! += weight * x[j * row + k]!;
    }
  }
}
