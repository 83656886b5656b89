import type * as tf from '@tensorflow/tfjs-core';
import { sizeOf, stridesOf, type WasmBackend } from './backend.ts';

/** One loop of a copy: how often, and how far source and destination move each time, in elements. */
interface Loop {
  count: number;
  from: number;
  to: number;
}

/** Below this length a plain loop is faster than `copyWithin`, whose call costs about 20 ns. */
const shortRun = 12;

/** How a tensor's data is walked: from element `at` on, by `strides` elements along each axis of the copy. */
export interface Walk {
  info: tf.TensorInfo;
  at: number;
  strides: readonly number[];
}

/** The walk over a whole tensor. */
export const wholeOf = (info: tf.TensorInfo): Walk => ({ info, at: 0, strides: stridesOf(info.shape) });

/**
 * Copies an array of shape `shape` from one walk to another. This one loop nest is slice, pad, tile, reverse and
 * transpose. Nothing is allocated.
 */
export function stridedCopy(backend: WasmBackend, shape: readonly number[], from: Walk, to: Walk): void {
  if (sizeOf(shape) === 0) return;
  const heap = heapOf(backend, from.info.dtype);
  const start = ({ info, at }: Walk) =>
    backend.dataIdMap.get(info.dataId).memoryOffset / heap.BYTES_PER_ELEMENT + at;
  const loops = shape.map((count, i) => ({ count, from: from.strides[i]!, to: to.strides[i]! }));
  copy(heap, merged(loops), start(from), start(to));
}

/** The whole heap in elements of a dtype. */
export function heapOf(backend: WasmBackend, dtype: tf.DataType): Int32Array | Uint8Array {
  const { buffer } = backend.wasm.HEAPU8;
  return dtype === 'bool' ? new Uint8Array(buffer) : new Int32Array(buffer);
}

/** Drops loops of one turn and joins neighbours that run on without a gap. */
function merged(loops: Loop[]): Loop[] {
  const out: Loop[] = [];
  for (const loop of loops) {
    if (loop.count === 1) continue;
    const last = out[out.length - 1];
    if (last && last.from === loop.count * loop.from && last.to === loop.count * loop.to) {
      out[out.length - 1] = { ...loop, count: last.count * loop.count };
    } else {
      out.push(loop);
    }
  }
  return out.length > 0 ? out : [{ count: 1, from: 1, to: 1 }];
}

function copy(heap: Int32Array | Uint8Array, loops: Loop[], from: number, to: number): void {
  const inner = loops[loops.length - 1]!;
  const outer = loops.slice(0, -1);
  const index = new Array<number>(outer.length).fill(0);
  for (;;) {
    copyRun(heap, inner, from, to);
    let axis = outer.length - 1;
    for (; axis >= 0; axis--) {
      const loop = outer[axis]!;
      from += loop.from;
      to += loop.to;
      if (++index[axis]! < loop.count) break;
      from -= loop.from * loop.count;
      to -= loop.to * loop.count;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

function copyRun(heap: Int32Array | Uint8Array, loop: Loop, from: number, to: number): void {
  const { count, from: step, to: toStep } = loop;
  if (toStep === 1 && step === 1 && count >= shortRun) {
    heap.copyWithin(to, from, from + count);
  } else if (toStep === 1 && step === 0) {
    heap.fill(heap[from]!, to, to + count);
  } else {
    for (let i = 0; i < count; i++) heap[to + i * toStep] = heap[from + i * step]!;
  }
}
