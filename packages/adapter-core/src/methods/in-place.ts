import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Layer, weightName } from '../copy-layer.ts';
import { sortedNodes } from '../graph.ts';
import { BaseLayer } from '../layers/base-layer.ts';
import { TapError } from '../taps.ts';
import type { Split } from './method.ts';
import { MethodLayerError } from './options.ts';
import { type Edit, rewrite } from './rewrite.ts';

/** Which of a layer's own weights a method trains, by their names within the layer. */
export type TrainedWeights = (layer: Layer) => string[];

/**
 * The split of a method that trains weights of the base itself and adds nothing.
 *
 * @param method Name of the method, for the error.
 * @param trained The weights to train, by layer.
 * @param levels Indices of the base's outputs that make the pyramid; all by default.
 * @throws {@link TapError} if no layer has such weights.
 */
export function trainInPlace(
  method: string,
  base: LayersModel,
  trained: TrainedWeights,
  levels?: number[],
): Split {
  const edits = new Map<Layer, Edit>();
  for (const { layer } of sortedNodes(base.inputs, base.outputs)) {
    if (edits.has(layer)) continue;
    const names = trained(layer);
    if (names.length > 0) edits.set(layer, { replace: new BaseLayer({ layer, trained: names }) });
  }
  if (edits.size > 0) return rewrite(base, edits, { levels });
  throw new TapError({
    what: `${method} finds nothing to train in model '${base.name}'`,
    received: `the weights ${base.weights
      .slice(0, 5)
      .map((w) => w.originalName)
      .join(', ')}${base.weights.length > 5 ? ', …' : ''}`,
    fix: `choose another method, or other options of ${method}`,
  });
}

/**
 * One layer that trains weights of its own.
 *
 * @throws {@link MethodLayerError} if a built layer has none of them.
 */
export function trainLayer(method: string, layer: Layer, trained: TrainedWeights): BaseLayer {
  const names = trained(layer);
  if (names.length > 0) return new BaseLayer({ layer, trained: names });
  throw new MethodLayerError({
    what: `${method} finds nothing to train in layer '${layer.name}' (${layer.getClassName()})`,
    received: `the weights ${layer.weights.map((w) => weightName(layer, w)).join(', ') || '(none; is the layer built?)'}`,
    fix: 'choose another layer or another method; a layer must be built before its weights have names',
  });
}
