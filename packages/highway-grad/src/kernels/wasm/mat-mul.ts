import * as tf from '@tensorflow/tfjs-core';
import { type KernelCall, type Original, sizeOf, type WasmKernel } from './backend.ts';
import { type Epilogue, gemm, mayStayPacked, noEpilogue, rowsThatRepayPacking } from './gemm.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

/** Products with fewer multiplications than this are as fast in wasm's plain loop (measured). */
const smallProduct = 2048;

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
export const batchMatMul: WasmKernel = (call, original) => matMul(call, noEpilogue) ?? original(call);

/** `_FusedMatMul`, likewise. */
export const fusedMatMul: WasmKernel = (call, original) => {
  const { inputs, attrs, backend } = call;
  const activation = activations[attrs.activation as string];
  const biasFits = !inputs.bias || inputs.bias.shape.length === 1;
  if (activation === undefined || inputs.preluActivationWeights || !biasFits) {
    return unpacked(call, original);
  }
  const bias = inputs.bias ? backend.dataIdMap.get(inputs.bias.dataId).id : 0;
  return matMul(call, { activation, bias, leakyreluAlpha: attrs.leakyreluAlpha ?? 0 }) ?? original(call);
};

/** The original kernel on a copy of the right operand, so that nothing stays packed: see `mayStayPacked`. */
function unpacked(call: KernelCall, original: Original): tf.TensorInfo | tf.TensorInfo[] {
  const b = call.inputs.b!;
  if (b.dtype !== 'float32') return original(call);
  return inWorkspace(call.backend, (ws) => {
    const copy = ws.make(b.shape);
    ws.floats(copy).set(ws.floats(b));
    return original({ ...call, inputs: { ...call.inputs, b: copy } });
  });
}

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
  // not for a single plain product: the original would leave its right operand packed
  if ((batchB > 1 || tA || tB) && m * k * n < smallProduct) return undefined;
  // a few rows do not repay packing the other operand
  if (m < 4 && batchB > 1) return undefined;
  const asTransposed = epilogue === noEpilogue && batchA === batchB && turnedIsCheaper(sizes, tA, tB);
  return inWorkspace(backend, (ws) => {
    let left = ws.reshape(a, tA ? [batchA, k, m] : [batchA, m, k]);
    let right = ws.reshape(b, tB ? [batchB, n, k] : [batchB, k, n]);
    const shape = [...outer, m, n];
    if (asTransposed) {
      if (!tA) left = swapped(ws, left);
      if (!tB) right = swapped(ws, right);
      const out = ws.make([batchA, n, m]);
      multiply(ws, right, left, out, { ...sizes, m: n, n: m }, epilogue, false);
      return ws.keep(swapped(ws, out), shape);
    }
    if (tA) left = swapped(ws, left);
    if (tB) right = swapped(ws, right);
    const out = ws.make([Math.max(batchA, batchB), m, n]);
    multiply(ws, left, right, out, sizes, epilogue, staysPacked(sizes, tA, tB));
    return ws.keep(out, shape);
  });
}

/** Whether the right operand, a weight matrix as a rule, may stay packed until it is disposed of. */
function staysPacked({ batchA, batchB, m }: Sizes, tA: boolean, tB: boolean): boolean {
  return !tA && !tB && batchB === 1 && batchA * m < rowsThatRepayPacking;
}

/**
 * Whether a·b is cheaper as (bᵀ·aᵀ)ᵀ. Beside the product itself, an element costs about 0.6 ns to transpose and 4 ns
 * to pack, and the right operand gets packed: the smaller one should stand there.
 */
function turnedIsCheaper(sizes: Sizes, tA: boolean, tB: boolean): boolean {
  const { m, k, n } = sizes;
  const [transpose, pack] = [0.6, 4];
  const sum = (...terms: [boolean, number][]) =>
    terms.reduce((s, [holds, size]) => s + (holds ? size : 0), 0);
  const direct = transpose * sum([tA, m * k], [tB, k * n]) + (staysPacked(sizes, tA, tB) ? 0 : pack * k * n);
  const turned = transpose * sum([!tA, m * k], [!tB, k * n], [true, m * n]) + pack * m * k;
  return turned < direct;
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

/** out = a·b for [batch, m, k]·[batch, k, n]; `keepPacked`: see `staysPacked`. */
function multiply(
  ws: Workspace,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  out: tf.TensorInfo,
  { batchA, batchB, m, k, n }: Sizes,
  epilogue: Epilogue,
  keepPacked: boolean,
): void {
  if (batchB === 1) {
    // every row of the batch meets the same matrix: one product
    const rows = batchA * m;
    const right = keepPacked && mayStayPacked(b.dataId, k, n) ? ws.id(b) : { info: b, at: 0 };
    gemm(ws, { info: a, at: 0 }, right, { info: out, at: 0 }, { m: rows, k, n }, epilogue);
    return;
  }
  for (let i = 0; i < batchB; i++) {
    const place = (info: tf.TensorInfo, size: number) => ({ info, at: i * size });
    const left = batchA === 1 ? { info: a, at: 0 } : place(a, m * k);
    gemm(ws, left, place(b, k * n), place(out, m * n), { m, k, n }, epilogue);
  }
}
