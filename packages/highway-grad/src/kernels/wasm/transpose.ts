import type * as tf from '@tensorflow/tfjs-core';
import {
  byReference,
  type KernelCall,
  type Original,
  sizeOf,
  stridesOf,
  type WasmKernel,
} from './backend.ts';
import { stridedCopy } from './strided-copy.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

/** Rows of a strip that is transposed within the cache. */
const strip = 64;

/**
 * `Transpose`: wasm's own one takes 67 ns an element above rank 4 (axes that stay neighbours count as one), and up to
 * 8 ns for matrices whose number of rows is a multiple of a power of two.
 */
export const transpose: WasmKernel = (call, original) => {
  const x = call.inputs.x!;
  const perm = call.attrs.perm as number[];
  if (x.dtype === 'string') return original(call);
  const shape = perm.map((p) => x.shape[p]!);
  const axes = mergedAxes(x.shape, perm);
  if (axes.perm.every((p, i) => p === i)) return byReference(call.backend, x, shape);
  if (axes.perm.length > 4) return aboveRank4(call, axes, shape);
  const matrices = matricesOf(axes);
  return matrices ? byStrips(call, original, matrices, shape) : original(call);
};

/** The same transpose without axes of length 1, and with axes that stay neighbours joined. */
interface Axes {
  shape: number[];
  perm: number[];
}

function mergedAxes(shape: readonly number[], perm: readonly number[]): Axes {
  const runs: number[][] = [];
  for (const p of perm.filter((p) => shape[p] !== 1)) {
    const run = runs[runs.length - 1];
    const last = run ? run[run.length - 1]! : Number.POSITIVE_INFINITY;
    // only axes of length 1 may lie between
    if (run && p > last && shape.slice(last + 1, p).every((d) => d === 1)) run.push(p);
    else runs.push([p]);
  }
  const sorted = [...runs].sort((a, b) => a[0]! - b[0]!);
  return {
    shape: sorted.map((run) => sizeOf(run.map((p) => shape[p]!))),
    perm: runs.map((run) => sorted.indexOf(run)),
  };
}

interface Matrices {
  batch: number;
  rows: number;
  columns: number;
}

/** A transpose of large matrices whose rows fall into few sets of the cache; undefined for any other. */
function matricesOf({ shape, perm }: Axes): Matrices | undefined {
  const order = perm.join();
  if (order !== '1,0' && order !== '0,2,1') return undefined;
  const [rows, columns] = shape.slice(-2) as [number, number];
  if (rows % (2 * strip) !== 0 || rows * columns < 65536) return undefined;
  return { batch: order === '1,0' ? 1 : shape[0]!, rows, columns };
}

/** Transposes strips of rows, which fit the cache, and then puts the strips' columns in order. */
function byStrips(
  { backend, inputs }: KernelCall,
  original: Original,
  { batch, rows, columns }: Matrices,
  shape: number[],
): tf.TensorInfo {
  return inWorkspace(backend, (ws) => {
    const count = rows / strip;
    const native = (x: tf.TensorInfo, perm: number[]) =>
      ws.own(original({ inputs: { x }, attrs: { perm }, backend }) as tf.TensorInfo);
    const strips = native(ws.reshape(inputs.x!, [batch * count, strip, columns]), [0, 2, 1]);
    const out = native(ws.reshape(strips, [batch, count, columns, strip]), [0, 2, 1, 3]);
    return ws.keep(out, shape);
  });
}

/** Moves the axis that ends up last by a rank-3 transpose, then copies runs of it. */
function aboveRank4({ backend, inputs }: KernelCall, axes: Axes, outShape: number[]): tf.TensorInfo {
  return inWorkspace(backend, (ws) => {
    const { x, shape, perm } = lastAxisMoved(ws, inputs.x!, axes);
    const out = ws.make(outShape, x.dtype);
    const strides = stridesOf(shape);
    const moved = perm.map((p) => shape[p]!);
    const walk = { info: x, at: 0, strides: perm.map((p) => strides[p]!) };
    stridedCopy(backend, moved, walk, { info: out, at: 0, strides: stridesOf(moved) });
    return ws.keep(out);
  });
}

function lastAxisMoved(ws: Workspace, x: tf.TensorInfo, { shape, perm }: Axes): Axes & { x: tf.TensorInfo } {
  const axis = perm[perm.length - 1]!;
  const end = shape.length - 1;
  if (axis === end) return { x, shape, perm };
  const rank3 = [sizeOf(shape.slice(0, axis)), shape[axis]!, sizeOf(shape.slice(axis + 1))];
  return {
    x: ws.run('Transpose', { x: ws.reshape(x, rank3) }, { perm: [0, 2, 1] }),
    shape: [...shape.slice(0, axis), ...shape.slice(axis + 1), shape[axis]!],
    perm: perm.map((p) => (p === axis ? end : p > axis ? p - 1 : p)),
  };
}
