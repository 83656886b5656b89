import type * as tf from '@tensorflow/tfjs-core';

/** What the kernels here use of tfjs-backend-wasm: its heap, its exports and its table of tensors. */
export interface WasmBackend {
  wasm: {
    HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    cwrap(name: string, result: null, args: string[]): (...args: number[]) => void;
    tfjs: {
      registerTensor(id: number, size: number, offset: number): void;
      disposeData(id: number): void;
    };
  };
  dataIdMap: {
    get(dataId: object): TensorEntry;
    set(dataId: object, entry: TensorEntry): void;
    delete(dataId: object): boolean;
  };
  dataIdNextNumber: number;
  makeOutput(shape: number[], dtype: tf.DataType): tf.TensorInfo;
  disposeData(dataId: object): boolean;
  incRef(dataId: object): void;
}

interface TensorEntry {
  id: number;
  /** Bytes from the start of the heap. */
  memoryOffset: number;
  shape: number[];
  dtype: tf.DataType;
  refCount: number;
}

/** The arguments of a kernel. */
export interface KernelCall {
  inputs: { [name: string]: tf.TensorInfo | undefined };
  // attributes differ from kernel to kernel; each one reads its own
  // biome-ignore lint/suspicious/noExplicitAny: see above
  attrs: any;
  backend: WasmBackend;
}

/** A kernel for wasm. `original` is the one that it replaces, if there was one. */
export type WasmKernel = (call: KernelCall, original: Original) => tf.TensorInfo | tf.TensorInfo[];

/** Runs the kernel that was registered before. */
export type Original = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

/** Whether `backend` has the internals that the kernels here rely on; a later tfjs may change them. */
export function isWasmBackend(backend: unknown): backend is WasmBackend {
  const b = backend as Partial<WasmBackend> | null;
  return (
    typeof b?.makeOutput === 'function' &&
    typeof b.incRef === 'function' &&
    typeof b.dataIdNextNumber === 'number' &&
    typeof b.dataIdMap?.get === 'function' &&
    typeof b.wasm?.cwrap === 'function' &&
    typeof b.wasm._malloc === 'function' &&
    typeof b.wasm.tfjs?.registerTensor === 'function'
  );
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Row-major strides, in elements. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** `x` under another shape: the same data, one reference more. */
export function byReference(backend: WasmBackend, x: tf.TensorInfo, shape = x.shape): tf.TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape, dtype: x.dtype };
}
