import * as tf from '@tensorflow/tfjs-core';
import { byReference, sizeOf, stridesOf, type WasmBackend, type WasmKernel } from './backend.ts';
import { stridedCopy, wholeOf } from './strided-copy.ts';
import { inWorkspace } from './workspace.ts';

/**
 * `Identity` by reference, as on every other backend; wasm's own one copies, which doubles what the tape holds.
 *
 * Safe because no wasm kernel of tfjs 4.22 writes to an input: each one writes to tensors from `makeOutput` only, and
 * those that call identity (Concat of one input, Reverse of a scalar, Transpose without effect) hand the result on
 * unwritten. `in-place-audit.test.ts` runs every registered kernel and compares its inputs before and after.
 */
export const identity: WasmKernel = ({ inputs, attrs, backend }, original) => {
  const x = inputs.x!;
  return x.dtype === 'string' ? original({ inputs, attrs, backend }) : byReference(backend, x);
};

/** `Slice` that reads its part only: wasm's own one copies the whole input first, and is a scalar loop from rank 5. */
export const slice: WasmKernel = (call, original) => {
  const x = call.inputs.x!;
  if (x.dtype === 'string') return original(call);
  const [begin, size] = tf.slice_util.parseSliceParams(x, call.attrs.begin, call.attrs.size);
  return part(call.backend, x, begin!, size!);
};

/** `SplitV` over the same copy. */
export const split: WasmKernel = (call, original) => {
  const x = call.inputs.x!;
  if (x.dtype === 'string') return original(call);
  const axis = tf.util.parseAxisParam(call.attrs.axis, x.shape)[0]!;
  const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, call.attrs.numOrSizeSplits, axis);
  let at = 0;
  return sizes.map((count) => {
    const begin = x.shape.map((_, i) => (i === axis ? at : 0));
    at += count;
    return part(
      call.backend,
      x,
      begin,
      x.shape.map((d, i) => (i === axis ? count : d)),
    );
  });
};

/** `Unpack` over the same copy. */
export const unpack: WasmKernel = (call, original) => {
  const x = call.inputs.value!;
  if (x.dtype === 'string') return original(call);
  const axis = tf.util.parseAxisParam(call.attrs.axis, x.shape)[0]!;
  const size = x.shape.map((d, i) => (i === axis ? 1 : d));
  return Array.from({ length: x.shape[axis]! }, (_, k) => ({
    ...part(
      call.backend,
      x,
      x.shape.map((_, i) => (i === axis ? k : 0)),
      size,
    ),
    shape: size.filter((_, i) => i !== axis),
  }));
};

function part(backend: WasmBackend, x: tf.TensorInfo, begin: number[], size: number[]): tf.TensorInfo {
  const strides = stridesOf(x.shape);
  const out = backend.makeOutput(size, x.dtype);
  const start = begin.reduce((sum, b, i) => sum + b * strides[i]!, 0);
  stridedCopy(backend, size, { info: x, at: start, strides }, wholeOf(out));
  return out;
}

/** `Tile`: wasm's own one takes 65 ns an element. */
export const tile: WasmKernel = (call, original) => {
  const { backend, attrs } = call;
  const x = call.inputs.x!;
  if (x.dtype === 'string') return original(call);
  const reps = attrs.reps as number[];
  const out = backend.makeOutput(
    x.shape.map((d, i) => d * reps[i]!),
    x.dtype,
  );
  const shape = x.shape.flatMap((d, i) => [reps[i]!, d]);
  const strides = stridesOf(x.shape).flatMap((s) => [0, s]);
  stridedCopy(backend, shape, { info: x, at: 0, strides }, { info: out, at: 0, strides: stridesOf(shape) });
  return out;
};

/** `Reverse`: wasm's own one takes 25 ns an element. */
export const reverse: WasmKernel = (call, original) => {
  const { backend, attrs } = call;
  const x = call.inputs.x!;
  if (x.dtype === 'string') return original(call);
  const axes = tf.util.parseAxisParam(attrs.dims, x.shape);
  const strides = stridesOf(x.shape);
  let start = 0;
  if (sizeOf(x.shape) > 0 && x.shape.length > 0) {
    for (const axis of axes) {
      start += (x.shape[axis]! - 1) * strides[axis]!;
      strides[axis] = -strides[axis]!;
    }
  }
  const out = backend.makeOutput(x.shape, x.dtype);
  stridedCopy(backend, x.shape, { info: x, at: start, strides }, wholeOf(out));
  return out;
};

/**
 * `Transpose`: wasm's own one is fast up to rank 4 and takes 67 ns an element above (axes that stay neighbours count
 * as one). There, the axis that ends up last is moved by a rank-3 transpose, then runs of it are copied.
 */
export const transpose: WasmKernel = (call, original) => {
  const { backend } = call;
  const x = call.inputs.x!;
  const perm = call.attrs.perm as number[];
  const outShape = perm.map((p) => x.shape[p]!);
  const axes = mergedAxes(x.shape, perm);
  if (axes.perm.every((p, i) => p === i) && x.dtype !== 'string') return byReference(backend, x, outShape);
  if (axes.perm.length <= 4 || x.dtype === 'string') return original(call);
  return inWorkspace(backend, (ws) => {
    const last = axes.perm[axes.perm.length - 1]!;
    let from = x;
    let { shape } = axes;
    let order = axes.perm;
    if (last !== shape.length - 1) {
      const d = shape[last]!;
      const rank3 = [sizeOf(shape.slice(0, last)), d, sizeOf(shape.slice(last + 1))];
      from = ws.run('Transpose', { x: ws.reshape(x, rank3) }, { perm: [0, 2, 1] });
      shape = [...shape.slice(0, last), ...shape.slice(last + 1), d];
      order = order.map((p) => (p === last ? shape.length - 1 : p > last ? p - 1 : p));
    }
    const out = ws.make(outShape, x.dtype);
    const strides = stridesOf(shape);
    const moved = order.map((p) => shape[p]!);
    const walk = { info: from, at: 0, strides: order.map((p) => strides[p]!) };
    stridedCopy(backend, moved, walk, { info: out, at: 0, strides: stridesOf(moved) });
    return ws.keep(out);
  });
};

/** The same transpose without axes of length 1, and with axes that stay neighbours joined. */
function mergedAxes(shape: readonly number[], perm: readonly number[]) {
  const runs: number[][] = [];
  for (const p of perm.filter((p) => shape[p] !== 1)) {
    const run = runs[runs.length - 1];
    const gap = run && shape.slice(run[run.length - 1]! + 1, p);
    if (run && p > run[run.length - 1]! && gap!.every((d) => d === 1)) run.push(p);
    else runs.push([p]);
  }
  const sorted = [...runs].sort((a, b) => a[0]! - b[0]!);
  return {
    shape: sorted.map((run) => sizeOf(run.map((p) => shape[p]!))),
    perm: runs.map((run) => sorted.indexOf(run)),
  };
}
