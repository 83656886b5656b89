import type * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { applyLayer, copyLayer, type Layer } from './copy-layer.ts';
import { type GraphNode, sortedNodes } from './graph.ts';

/** Whether a layer is a model of its own. */
export function isModel(layer: Layer): layer is LayersModel {
  return Array.isArray((layer as Partial<LayersModel>).layers) && 'outputs' in layer;
}

/**
 * A model without models inside: the layers of nested models stand in the graph itself, so that adapters can stand on
 * them. Same inputs, same outputs, same weights in the same memory; the model that is given stays as it is.
 *
 * A layer of a nested model keeps its name, or is called `nested/layer` where another has that name.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import * as tfl from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adapt, flatten, lora } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const x = tfl.input({ shape: [4] });
 * const body = tfl.sequential({ layers: [tfl.layers.dense({ name: 'hidden', units: 8, inputShape: [4] })] });
 * const y = tfl.layers.dense({ units: 2 }).apply(body.apply(x)) as tfl.SymbolicTensor;
 * const flat = flatten(tfl.model({ inputs: x, outputs: y }));
 * console.log(adapt(flat, lora({ targets: 'hidden', rank: 2 })).parameters.trainable); // 24
 * ```
 */
export function flatten(base: LayersModel): LayersModel {
  const made = new Map<number, SymbolicTensor>(base.inputs.map((t) => [t.id, t]));
  const copies = new Map<string, Layer>();
  const names = new Set(base.layers.filter((layer) => !isModel(layer)).map((layer) => layer.name));
  const place = (nodes: GraphNode[], values: Map<number, SymbolicTensor>, path: string): void => {
    for (const { layer, inputs, outputs } of nodes) {
      const given = inputs.map((t) => values.get(t.id)!);
      const results = isModel(layer)
        ? inline(layer, given, `${path}${layer.name}/`)
        : applyLayer(copyOf(layer, path), given);
      outputs.forEach((t, i) => {
        values.set(t.id, results[i]!);
      });
    }
  };
  const inline = (nested: LayersModel, given: SymbolicTensor[], path: string): SymbolicTensor[] => {
    const values = new Map(nested.inputs.map((t, i) => [t.id, given[i]!]));
    place(sortedNodes(nested.inputs, nested.outputs), values, path);
    return nested.outputs.map((t) => values.get(t.id)!);
  };
  const copyOf = (layer: Layer, path: string): Layer => {
    const key = `${path}${layer.name}`;
    const known = copies.get(key);
    if (known) return known;
    const name = path && names.has(layer.name) ? key : layer.name;
    names.add(name);
    const copy = copyLayer(layer, name);
    copy.setFastWeightInitDuringBuild(layer.weights.length > 0);
    copies.set(key, copy);
    sources.set(copy, layer);
    return copy;
  };
  const sources = new Map<Layer, Layer>();
  place(sortedNodes(base.inputs, base.outputs), made, '');
  for (const [copy, source] of sources) {
    if (source.weights.length > 0) copy.setWeights(source.getWeights() as tf.Tensor[]);
  }
  return model({ inputs: base.inputs, outputs: base.outputs.map((t) => made.get(t.id)!), name: base.name });
}
