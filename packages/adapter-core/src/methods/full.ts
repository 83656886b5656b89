import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Method, Split } from './method.ts';

/**
 * The method `full`: full fine-tuning, the comparison for every other method. The base itself is trained, all of it
 * on the gradient tape; unlike with the other methods, its weights change.
 *
 * @example
 * ```ts
 * import { full } from '@e3va/adapter-core';
 *
 * console.log(full().name); // 'full'
 * ```
 */
export function full(): Method {
  const split = (base: LayersModel): Split => {
    for (const layer of base.layers) layer.trainable = true;
    base.trainable = true;
    return {
      frozenOutputs: base.inputs,
      highway: base,
      levels: base.outputs.map((_, i) => i),
      taps: new Map(),
      replaced: new Map(),
    };
  };
  return { name: 'full', config: {}, split, wrap: (layer) => layer };
}
