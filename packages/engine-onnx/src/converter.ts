import type { Layer } from '@e3va/adapter-core';
import type { LayerVariable, Shape } from '@tensorflow/tfjs-layers';
import { OnnxLayerError } from './errors.ts';
import { type WeightArray, weightArray } from './graph/array.ts';
import type { Graph } from './graph/graph.ts';
import { type Size, shapeSize } from './graph/size.ts';
import type { Value } from './graph/value.ts';

/**
 * Writes a layer as operations of ONNX.
 *
 * @param layer The layer, built.
 * @param inputs What it reads.
 * @param graph Where operations and weights are added.
 * @returns What it gives.
 */
export type Converter = (layer: Layer, inputs: Value[], graph: Graph) => Value | Value[];

/** A weight of a layer by its name, such as `kernel`. */
export function weightOf(layer: Layer, name: string): WeightArray | undefined {
  const weight = layer.weights.find((w) => isCalled(w, name));
  return weight && weightArray(weight);
}

/** A weight of a layer that has to be there. */
export function neededWeight(layer: Layer, name: string): WeightArray {
  const weight = weightOf(layer, name);
  if (weight) return weight;
  throw unsupported(layer, `a weight '${name}'`, layer.weights.map((w) => w.originalName).join(', '));
}

const isCalled = ({ originalName }: LayerVariable, name: string) =>
  originalName === name || originalName.endsWith(`/${name}`);

/** The configuration of a layer. */
export const configOf = <T>(layer: Layer): T => layer.getConfig() as T;

/** This use of the layer is not covered by its converter. */
export function unsupported(layer: Layer, expected: string, received: string): OnnxLayerError {
  return new OnnxLayerError({
    what: `layer '${layer.name}' (${layer.getClassName()}) cannot be written as ONNX`,
    expected,
    received,
    fix: `register a converter of your own: registerConverter('${layer.getClassName()}', (layer, inputs, graph) => …)`,
  });
}

/**
 * The shape of what a layer gives: the sizes that the layer can tell from the known ones of its inputs, and for the others that of
 * the tensor when it runs.
 *
 * @param tensor The layer's result in the graph.
 * @param channels Where the tensor has its channels; the shape has them last.
 */
export function shapeBy(
  layer: Layer,
  inputs: readonly Value[],
  tensor: string,
  channels: 'first' | 'last' = 'last',
): Size[] {
  const known = inputs.map(({ shape }) => shape.map((size) => (typeof size === 'number' ? size : null)));
  const shape = layer.computeOutputShape(known.length === 1 ? known[0]! : known) as Shape;
  const axisOf = (axis: number) => (channels === 'last' || axis === 0 ? axis : [2, 3, 1][axis - 1]!);
  return shape.map((size, axis) => size ?? shapeSize(tensor, axisOf(axis)));
}
