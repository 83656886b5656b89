import { E3vaError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable, layers, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';

/** A layer of tfjs-layers. */
export type Layer = layers.Layer;

/** A layer cannot be copied into an adapted model. */
export class LayerCopyError extends E3vaError {}

/**
 * A fresh layer of the same class and configuration under another name, without the weights.
 *
 * @throws {@link LayerCopyError} if the class cannot be made from its own configuration.
 */
export function copyLayer(layer: Layer, name: string): Layer {
  const cls = layer.constructor as unknown as { fromConfig(cls: unknown, config: object): Layer };
  let copy: Layer;
  try {
    copy = cls.fromConfig(cls, { ...layer.getConfig(), name });
  } catch (cause) {
    throw new LayerCopyError(
      {
        what: `layer '${layer.name}' (${layer.getClassName()}) cannot be made again from its configuration`,
        expected: 'a getConfig() that gives everything the constructor needs',
        received: (cause as Error).message,
        fix: `complete getConfig() of ${layer.getClassName()}, or choose taps behind this layer`,
      },
      { cause },
    );
  }
  return copy;
}

/** What a layer that stands around another hands to its base class: a name, and the input shape that the inner one declares. */
export function wrapperConfig(layer: Layer, config: { name: string; trainable: boolean }) {
  const { batchInputShape } = layer as { batchInputShape?: Shape };
  return { ...config, ...(batchInputShape && { batchInputShape, dtype: layer.dtype }) };
}

/** Builds a layer that stands inside another one, under that one's name. */
export function buildLayer(layer: Layer, inputShape: Shape | Shape[]): void {
  if (!layer.built) layer.build(inputShape);
  layer.built = true;
}

/** Builds a copy of a layer; it takes over the source's weights, if that has some, in the same memory. */
export function buildCopy(copy: Layer, source: Layer, inputShape: Shape | Shape[]): void {
  const hasWeights = source.weights.length > 0;
  copy.setFastWeightInitDuringBuild(hasWeights);
  buildLayer(copy, inputShape);
  if (hasWeights) copy.setWeights(source.getWeights() as tf.Tensor[]);
}

/** Puts a layer on symbolic inputs. */
export function applyLayer(layer: Layer, inputs: SymbolicTensor[]): SymbolicTensor[] {
  const out = layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as SymbolicTensor | SymbolicTensor[];
  return [out].flat();
}

/** The name of a weight within its layer: `kernel`, `gamma`; a path for a weight of a nested layer. */
export function weightName(layer: Layer, weight: LayerVariable): string {
  const { originalName: full } = weight;
  return full.startsWith(`${layer.name}/`) ? full.slice(layer.name.length + 1) : full;
}

/** A layer as plain JSON, for the configuration of a layer that contains it. */
export function layerToJson(layer: Layer): tf.serialization.ConfigDict {
  return { className: layer.getClassName(), config: layer.getConfig() };
}

/** Makes a layer from {@link layerToJson}'s result; keys may be in snake case, as model files write them. */
export function layerFromJson(json: tf.serialization.ConfigDict): Layer {
  const className = String(json.className ?? json.class_name);
  const known = tf.serialization.SerializationMap.getMap().classNameMap[className];
  if (!known) {
    throw new LayerCopyError({
      what: `the layer class '${className}' is not known here`,
      expected: 'a class of tfjs-layers, or one that is registered',
      fix: `import the module that defines ${className}, or call tf.serialization.registerClass(${className})`,
    });
  }
  const [cls, fromConfig] = known as unknown as [unknown, (cls: unknown, config: unknown) => Layer];
  return fromConfig(cls, json.config);
}
