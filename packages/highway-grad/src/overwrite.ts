import * as tf from '@tensorflow/tfjs-core';
import type { WasmBackend } from './kernels/wasm/backend.ts';

/**
 * Gives a variable new values: on wasm by writing them into the memory that it has, so that what is kept for long stays where it is
 * and does not scatter the heap; elsewhere, and where other tensors share that memory, by `assign`.
 *
 * For state that no convolution and no product reads, such as an optimiser's moments: those pack what they read, and would go on
 * with the packed values.
 *
 * @param variable A float32 variable.
 * @param values A tensor of the same shape; it is not disposed of.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { overwrite } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const moment = tf.variable(tf.zeros([2]), false);
 * tf.tidy(() => overwrite(moment, tf.add(moment, 1)));
 * console.log(await moment.array()); // [1, 1]
 * ```
 */
export function overwrite(variable: tf.Variable, values: tf.Tensor): void {
  if (tf.getBackend() !== 'wasm') {
    variable.assign(values);
    return;
  }
  const { dataIdMap, wasm } = tf.backend() as unknown as WasmBackend;
  const [to, from] = [dataIdMap.get(variable.dataId), dataIdMap.get(values.dataId)];
  const fits = variable.dtype === 'float32' && values.dtype === 'float32' && variable.size === values.size;
  if (to.refCount > 1 || !fits)
    variable.assign(values); // others share the memory, or assign has something to say
  else wasm.HEAPU8.copyWithin(to.memoryOffset, from.memoryOffset, from.memoryOffset + 4 * variable.size);
}
