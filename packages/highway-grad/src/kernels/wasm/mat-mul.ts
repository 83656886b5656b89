import * as tf from '@tensorflow/tfjs-core';
import { type KernelCall, sizeOf, type WasmKernel } from './backend.ts';
import { inWorkspace, type Place, type Workspace } from './workspace.ts';

/** Products with fewer multiplications than this are as fast in wasm's plain loop (measured). */
const smallProduct = 2048;

/**
 * XNNPACK packs the right operand at every product, at 3 to 5 ns an element, and keeps the packed copy until that
 * tensor is disposed: every weight matrix then takes its memory twice. From this many rows on, packing again each time
 * costs little, and the copy is dropped; with fewer rows it stays.
 */
const rowsThatRepayPacking = 512;

/** What a fused product adds: the native ids and codes of bias and activation. */
export interface Epilogue {
  activation: number;
  bias: number;
  leakyreluAlpha: number;
}

/** No bias, no activation. */
const plain: Epilogue = { activation: 0, bias: 0, leakyreluAlpha: 0 };

/** The activations of the native kernel, by its enumeration; prelu (3) is left to the original kernel. */
const activations: Record<string, number> = {
  linear: 0,
  relu: 1,
  relu6: 2,
  leakyrelu: 4,
  sigmoid: 5,
  elu: 6,
};

/**
 * `BatchMatMul`: wasm's own one leaves XNNPACK (2 instead of 30 GFLOP/s) as soon as an operand is transposed or the
 * batch is larger than 1. Here operands are transposed first, and a batch is one product after the other on views.
 */
export const batchMatMul: WasmKernel = (call, original) => matMul(call, plain) ?? original(call);

/** `_FusedMatMul`, likewise. */
export const fusedMatMul: WasmKernel = (call, original) => {
  const { inputs, attrs, backend } = call;
  const activation = activations[attrs.activation as string];
  const biasFits = inputs.bias === undefined || inputs.bias.shape.length === 1;
  if (activation === undefined || inputs.preluActivationWeights || !biasFits) return original(call);
  const bias = inputs.bias ? backend.dataIdMap.get(inputs.bias.dataId).id : 0;
  return matMul(call, { activation, bias, leakyreluAlpha: attrs.leakyreluAlpha ?? 0 }) ?? original(call);
};

interface Sizes {
  outer: number[];
  batchA: number;
  batchB: number;
  m: number;
  k: number;
  n: number;
}

/** The product, or undefined where the original kernel is as good or has to complain. */
function matMul({ inputs, attrs, backend }: KernelCall, epilogue: Epilogue): tf.TensorInfo | undefined {
  const a = inputs.a!;
  const b = inputs.b!;
  const [tA, tB] = [Boolean(attrs.transposeA), Boolean(attrs.transposeB)];
  const sizes = sizesOf(a, b, tA, tB);
  if (!sizes || a.dtype !== 'float32' || b.dtype !== 'float32') return undefined;
  const { outer, batchA, batchB, m, k, n } = sizes;
  if (m * k * n < smallProduct) return undefined;
  // a few rows do not repay packing the other operand
  if (m < 4 && batchB > 1) return undefined;
  return inWorkspace(backend, (ws) => {
    let left = ws.reshape(a, tA ? [batchA, k, m] : [batchA, m, k]);
    let right = ws.reshape(b, tB ? [batchB, n, k] : [batchB, k, n]);
    const shape = [...outer, m, n];
    if (tA && batchA === 1 && batchB === 1 && epilogue === plain && (tB || n > m)) {
      // (aᵀ·b)ᵀ = bᵀ·a and (aᵀ·bᵀ)ᵀ = b·a: the narrow operand gets packed, and one transpose less for TT
      if (!tB) right = swapped(ws, right);
      const out = ws.make([1, n, m]);
      multiply(ws, right, left, out, { outer, batchA, batchB, m: n, k, n: m }, epilogue, true);
      return ws.keep(swapped(ws, out), shape);
    }
    if (tA) left = swapped(ws, left);
    if (tB) right = swapped(ws, right);
    const out = ws.make([Math.max(batchA, batchB), m, n]);
    // a vector is transposed by reference: its native id may already stand for a packed copy of the other shape
    multiply(ws, left, right, out, sizes, epilogue, tA || tB);
    return ws.keep(out, shape);
  });
}

function sizesOf(a: tf.TensorInfo, b: tf.TensorInfo, tA: boolean, tB: boolean): Sizes | undefined {
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number];
  const [m, k] = tA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [kB, n] = tB ? [columnsB, rowsB] : [rowsB, columnsB];
  const [batchA, batchB] = [sizeOf(outerA), sizeOf(outerB)];
  const same = outerA.join() === outerB.join();
  if (k !== kB || batchA * batchB === 0 || (!same && batchA !== 1 && batchB !== 1)) return undefined;
  const outer = tf.backend_util.assertAndGetBroadcastShape(outerA, outerB);
  return { outer, batchA, batchB, m, k, n };
}

function swapped(ws: Workspace, x: tf.TensorInfo): tf.TensorInfo {
  return ws.run('Transpose', { x }, { perm: [0, 2, 1] });
}

/** out = a·b for [batch, m, k]·[batch, k, n]; `once` says that `b` will not be a right operand again. */
function multiply(
  ws: Workspace,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  out: tf.TensorInfo,
  { batchA, batchB, m, k, n }: Sizes,
  epilogue: Epilogue,
  once: boolean,
): void {
  if (batchB === 1) {
    // every row of the batch meets the same matrix: one product
    const rows = batchA * m;
    const right = !once && rows < rowsThatRepayPacking ? ws.id(b) : { info: b, at: 0 };
    gemm(ws, { info: a, at: 0 }, right, { info: out, at: 0 }, { m: rows, k, n }, epilogue);
    return;
  }
  for (let i = 0; i < batchB; i++) {
    const place = (info: tf.TensorInfo, size: number) => ({ info, at: i * size });
    const left = batchA === 1 ? { info: a, at: 0 } : place(a, m * k);
    gemm(ws, left, place(b, k * n), place(out, m * n), { m, k, n }, epilogue);
  }
}

/**
 * One product [m, k]·[k, n] by XNNPACK, at about 30 GFLOP/s and 1 µs a call.
 *
 * @param b The place of the right operand, or the native id of one whose packed copy may stay as long as the id.
 */
export function gemm(
  ws: Workspace,
  a: Place,
  b: Place | number,
  out: Place,
  { m, k, n }: { m: number; k: number; n: number },
  { activation, bias, leakyreluAlpha }: Epilogue = plain,
): void {
  const mark = ws.viewCount;
  const idA = ws.view(a, m * k);
  const idB = typeof b === 'number' ? b : ws.view(b, k * n);
  const idOut = ws.view(out, m * n);
  const shapes = ws.ints([1, m, k, 1, k, n]);
  const fn = ws.native('_FusedMatMul', 13);
  fn(idA, shapes, 3, idB, shapes + 12, 3, 0, 0, activation, bias, 0, leakyreluAlpha, idOut);
  ws.dropViews(mark);
}
