import * as tf from '@tensorflow/tfjs-core';
import { sizeOf, type WasmBackend } from './backend.ts';

/** Where a matrix or vector lies: a tensor's data from some element on. */
export interface Place {
  info: tf.TensorInfo;
  /** Elements from the start of the tensor. */
  at: number;
}

/** The tensors, views and shape arrays of one kernel call, all released by `end`, but for what `keep` took out. */
export class Workspace {
  private readonly owned = new Set<tf.TensorInfo>();
  private readonly ids: number[] = [];
  private readonly pointers = new Map<string, number>();
  private readonly functions = new Map<string, (...args: number[]) => void>();

  constructor(readonly backend: WasmBackend) {}

  /** A new tensor with undefined content. */
  make(shape: number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
    const info = this.backend.makeOutput(shape, dtype);
    this.owned.add(info);
    return info;
  }

  /** Runs a registered kernel with one output. */
  run(name: string, inputs: Record<string, tf.TensorInfo>, attrs: object = {}): tf.TensorInfo {
    const { kernelFunc } = tf.getKernel(name, 'wasm');
    const out = kernelFunc({
      inputs,
      attrs: attrs as tf.NamedAttrMap,
      backend: this.backend,
    }) as tf.TensorInfo;
    this.owned.add(out);
    return out;
  }

  /** `info` under another shape; the same data, owned by the workspace as well. */
  reshape(info: tf.TensorInfo, shape: number[]): tf.TensorInfo {
    return this.run('Reshape', { x: info }, { shape });
  }

  /** Gives a tensor back before `end`. */
  free(info: tf.TensorInfo): void {
    if (this.owned.delete(info)) this.backend.disposeData(info.dataId);
  }

  /** Hands a tensor to the caller, optionally under another shape. */
  keep(info: tf.TensorInfo, shape = info.shape): tf.TensorInfo {
    this.owned.delete(info);
    return { dataId: info.dataId, shape, dtype: info.dtype };
  }

  /** The number by which the native kernels know a tensor. */
  id(info: tf.TensorInfo): number {
    return this.backend.dataIdMap.get(info.dataId).id;
  }

  /**
   * A number by which the native kernels know `size` elements of a tensor from element `at` on: a view without a
   * copy. Valid while that tensor lives. What XNNPACK packs for a view goes with it.
   */
  view({ info, at }: Place, size: number): number {
    const id = this.backend.dataIdNextNumber++;
    const bytes = tf.util.bytesPerElement(info.dtype);
    const { memoryOffset } = this.backend.dataIdMap.get(info.dataId);
    this.backend.wasm.tfjs.registerTensor(id, size, memoryOffset + at * bytes);
    this.ids.push(id);
    return id;
  }

  /** Forgets the views made since `mark` (a former `viewCount`). */
  dropViews(mark = 0): void {
    while (this.ids.length > mark) this.backend.wasm.tfjs.disposeData(this.ids.pop()!);
  }

  get viewCount(): number {
    return this.ids.length;
  }

  /** A pointer to int32 values on the heap; equal values share one. */
  ints(values: readonly number[]): number {
    const key = values.join();
    let pointer = this.pointers.get(key);
    if (pointer === undefined) {
      pointer = this.backend.wasm._malloc(values.length * 4) >>> 0;
      this.pointers.set(key, pointer);
      new Int32Array(this.backend.wasm.HEAPU8.buffer, pointer, values.length).set(values);
    }
    return pointer;
  }

  /** A native kernel that takes numbers (ids, pointers and values) only. */
  native(name: string, argCount: number): (...args: number[]) => void {
    let fn = this.functions.get(name);
    if (!fn) {
      fn = this.backend.wasm.cwrap(name, null, new Array<string>(argCount).fill('number'));
      this.functions.set(name, fn);
    }
    return fn;
  }

  /** A tensor's numbers on the heap. Growing the heap detaches it: make every tensor first. */
  floats(info: tf.TensorInfo): Float32Array {
    const { memoryOffset } = this.backend.dataIdMap.get(info.dataId);
    return new Float32Array(this.backend.wasm.HEAPU8.buffer, memoryOffset, sizeOf(info.shape));
  }

  /** As `floats`, for int32. */
  int32s(info: tf.TensorInfo): Int32Array {
    const { memoryOffset } = this.backend.dataIdMap.get(info.dataId);
    return new Int32Array(this.backend.wasm.HEAPU8.buffer, memoryOffset, sizeOf(info.shape));
  }

  end(): void {
    this.dropViews();
    for (const pointer of this.pointers.values()) this.backend.wasm._free(pointer);
    this.pointers.clear();
    for (const info of this.owned) this.backend.disposeData(info.dataId);
    this.owned.clear();
  }
}

/** Runs `fn` with a workspace, released afterwards. */
export function inWorkspace<R>(backend: WasmBackend, fn: (ws: Workspace) => R): R {
  const ws = new Workspace(backend);
  try {
    return fn(ws);
  } finally {
    ws.end();
  }
}
