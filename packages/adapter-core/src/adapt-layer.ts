import type { Layer } from './copy-layer.ts';
import type { Method } from './methods/method.ts';

/**
 * Puts a fine-tuning method on one layer: gives a layer that stands in its place, trains what the method adds, and
 * leaves the layer's own weights as they are.
 *
 * With `e3va` the result has two streams, `[x, z]` in and `[y, z]` out: the frozen one, off the gradient tape, and the
 * highway; at the start of a model pass `[x, x]`. Applied to one tensor it gives the highway's alone, which fits into
 * `tf.sequential`; nothing in front of it can be trained then. With a method that works in place the result is a layer of
 * one stream, like the layer inside.
 *
 * @param layer The layer, built or not; it is copied, with its weights if it has some.
 * @param method For instance `lora()` or `e3va()`.
 * @throws MethodLayerError if the method cannot stand on a layer of this kind.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import * as tfl from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adaptLayer, e3va, lora } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const inPlace = adaptLayer(tfl.layers.dense({ units: 8, inputShape: [4] }), lora({ rank: 2 }));
 * tfl.sequential({ layers: [inPlace] }).summary();
 *
 * const x = tfl.input({ shape: [4] });
 * const first = adaptLayer(tfl.layers.dense({ units: 8 }), e3va({ rank: 2 }));
 * const second = adaptLayer(tfl.layers.dense({ units: 8 }), e3va({ rank: 2 }));
 * const streams = second.apply(first.apply([x, x]) as tfl.SymbolicTensor[]) as tfl.SymbolicTensor[];
 * const model = tfl.model({ inputs: x, outputs: streams[1]! });
 * console.log(model.outputs[0]?.shape); // [null, 8]
 * ```
 */
export function adaptLayer(layer: Layer, method: Method): Layer {
  return method.wrap(layer);
}
