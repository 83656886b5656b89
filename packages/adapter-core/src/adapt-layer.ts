import type { Layer } from './copy-layer.ts';
import type { Method } from './methods/method.ts';

/**
 * Puts a fine-tuning method on one layer: gives a layer that stands in its place, trains what the method adds, and
 * leaves the layer's own weights as they are.
 *
 * @param layer The layer, built or not; it is copied, with its weights if it has some.
 * @param method For instance `lora()`.
 * @throws MethodLayerError if the method cannot stand on a layer of this kind.
 */
export function adaptLayer(layer: Layer, method: Method): Layer {
  return method.wrap(layer);
}
