import * as tf from '@tensorflow/tfjs-core';
import { byReference, sizeOf, stridesOf, type WasmBackend, type WasmKernel } from './backend.ts';
import { stridedCopy, wholeOf } from './strided-copy.ts';

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
