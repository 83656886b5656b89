import { ShapeError } from '@e3va/highway-grad';
import type * as tf from '@tensorflow/tfjs-core';
import type { layers, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';

/** Puts a layer on symbolic inputs. */
export type Apply = (layer: layers.Layer, inputs: SymbolicTensor | SymbolicTensor[]) => SymbolicTensor;

/** Builds layers with their initial weights. */
export const drawn: Apply = (layer, inputs) => layer.apply(inputs) as SymbolicTensor;

/** The only input of a layer, with or without a list around it. */
export function single<T extends tf.Tensor>(inputs: tf.Tensor | tf.Tensor[]): T {
  return (Array.isArray(inputs) ? inputs[0] : inputs) as T;
}

/** The only input shape of a layer, with or without a list around it. */
export function singleShape(shapes: Shape | Shape[]): Shape {
  return Array.isArray(shapes[0]) ? (shapes[0] as Shape) : (shapes as Shape);
}

/** The size of the last axis, which a layer with weights must know when it is built. */
export function channelsOf(layer: string, shape: Shape): number {
  const size = shape.at(-1);
  if (size != null) return size;
  throw new ShapeError({
    what: `${layer}: the last axis of the input must have a known size`,
    received: `[${shape.map((n) => n ?? 'null').join(', ')}]`,
  });
}
