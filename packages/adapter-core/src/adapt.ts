import type { LayersModel } from '@tensorflow/tfjs-layers';
import { Adapted } from './adapted.ts';
import { checkBase } from './check-base.ts';
import type { Method } from './methods/method.ts';

/** Options of {@link adapt}. */
export interface AdaptOptions {
  /** Name of the first adapter; `default` by default. */
  adapterName?: string;
}

/**
 * Puts a fine-tuning method on a model: splits it into a frozen half that never touches the gradient tape, and a
 * small trainable highway.
 *
 * @param base Any functional or sequential LayersModel. It is not changed (except by the method `full`), and its
 * weights stay byte for byte as they are.
 * @param method For instance `e3va()`, `frozen()` or `full()`, with options.
 * @throws TapError if the method's taps do not fit the model; BaseModelError if it is no LayersModel; DuplicateTfjsError if it
 * is one of another copy of tfjs. Nothing is left behind then.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import * as tfl from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adapt, e3va } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const images = tfl.input({ shape: [null, null, 3] });
 * const stem = tfl.layers.conv2d({ filters: 8, kernelSize: 4, strides: 4 }).apply(images) as tfl.SymbolicTensor;
 * const branch = tfl.layers.conv2d({ filters: 8, kernelSize: 1, name: 'branch' }).apply(stem) as tfl.SymbolicTensor;
 * const map = tfl.layers.add().apply([stem, branch]) as tfl.SymbolicTensor;
 * const adapted = adapt(tfl.model({ inputs: images, outputs: map }), e3va({ taps: 'branch', rank: 2 }));
 *
 * console.log(adapted.levels); // one level of 8 channels at stride 4
 * const [pyramid] = adapted.apply(tf.zeros([1, 32, 32, 3]));
 * console.log(pyramid?.shape); // [1, 8, 8, 8]
 * ```
 */
export function adapt(base: LayersModel, method: Method, options: AdaptOptions = {}): Adapted {
  checkBase(base);
  return new Adapted(base, method, options.adapterName);
}
