import * as tf from '@tensorflow/tfjs-core';
import { sizeOf, type WasmBackend } from './kernels/wasm/backend.ts';

/**
 * A tensor whose values are written where they will lie: on wasm straight into the heap, without an array between.
 *
 * @param shape Its shape.
 * @param fill Writes all values, row by row; it must make no tensor. An error of it is passed on, and nothing stays behind.
 * @returns A float32 tensor.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { filledTensor } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const squares = filledTensor([3], (values) => {
 *   for (let i = 0; i < values.length; i++) values[i] = i * i;
 * });
 * console.log(await squares.array()); // [0, 1, 4]
 * ```
 */
export function filledTensor(shape: readonly number[], fill: (values: Float32Array) => void): tf.Tensor {
  if (tf.getBackend() === 'wasm') return onHeap(tf.backend() as unknown as WasmBackend, [...shape], fill);
  const values = new Float32Array(sizeOf([...shape]));
  fill(values);
  return tf.tensor(values, [...shape]);
}

function onHeap(backend: WasmBackend, shape: number[], fill: (values: Float32Array) => void): tf.Tensor {
  const info = backend.makeOutput(shape, 'float32');
  const { memoryOffset } = backend.dataIdMap.get(info.dataId);
  try {
    fill(new Float32Array(backend.wasm.HEAPU8.buffer, memoryOffset, sizeOf(shape)));
  } catch (error) {
    backend.disposeData(info.dataId);
    throw error;
  }
  return tf.engine().makeTensorFromTensorInfo(info);
}
