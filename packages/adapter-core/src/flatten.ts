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
  const flattener = new Flattener(base);
  const made = new Map<number, SymbolicTensor>(base.inputs.map((t) => [t.id, t]));
  flattener.place(sortedNodes(base.inputs, base.outputs), made, { path: '', frozen: !base.trainable });
  const outputs = base.outputs.map((t) => made.get(t.id)!);
  return model({ inputs: base.inputs, outputs, name: base.name });
}

/** Where a layer stands: the names of the models around it, and whether one of them is frozen. */
interface Place {
  path: string;
  frozen: boolean;
}

class Flattener {
  /** One copy for each layer, wherever it is applied. */
  private readonly copies = new Map<Layer, Layer>();
  private readonly names: Set<string>;

  constructor(base: LayersModel) {
    this.names = new Set(base.layers.filter((layer) => !isModel(layer)).map((layer) => layer.name));
  }

  /** Applies copies of the nodes' layers to `values`, and adds what they give. */
  place(nodes: GraphNode[], values: Map<number, SymbolicTensor>, at: Place): void {
    for (const { layer, inputs, outputs } of nodes) {
      const given = inputs.map((t) => values.get(t.id)!);
      const results = isModel(layer) ? this.inline(layer, given, at) : this.apply(layer, given, at);
      outputs.forEach((t, i) => {
        values.set(t.id, results[i]!);
      });
    }
  }

  private inline(nested: LayersModel, given: SymbolicTensor[], { path, frozen }: Place): SymbolicTensor[] {
    const values = new Map(nested.inputs.map((t, i) => [t.id, given[i]!]));
    const inside = { path: `${path}${nested.name}/`, frozen: frozen || !nested.trainable };
    this.place(sortedNodes(nested.inputs, nested.outputs), values, inside);
    return nested.outputs.map((t) => values.get(t.id)!);
  }

  private apply(layer: Layer, given: SymbolicTensor[], { path, frozen }: Place): SymbolicTensor[] {
    const known = this.copies.get(layer);
    if (known) return applyLayer(known, given);
    const name = path && this.names.has(layer.name) ? `${path}${layer.name}` : layer.name;
    this.names.add(name);
    const copy = copyLayer(layer, name);
    copy.setFastWeightInitDuringBuild(layer.weights.length > 0);
    this.copies.set(layer, copy);
    const results = applyLayer(copy, given);
    if (layer.weights.length > 0) copy.setWeights(layer.getWeights() as tf.Tensor[]);
    if (frozen) copy.trainable = false;
    return results;
  }
}
