import { ShapeError } from '@e3va/highway-grad';
import type * as tf from '@tensorflow/tfjs-core';
import { initializers, type layers, type Shape } from '@tensorflow/tfjs-layers';

/** The options every layer takes: `name`, `trainable` and so on. */
export type LayerConfig = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

/** What the matrices and tables of a fresh Swin are drawn from, as in the official code. */
export const weightInitializer = () => initializers.truncatedNormal({ stddev: 0.02 });

/** The only input of a layer, with or without a list around it. */
export function single<T extends tf.Tensor>(inputs: tf.Tensor | tf.Tensor[]): T {
  return (Array.isArray(inputs) ? inputs[0] : inputs) as T;
}

/** The only input shape of a layer, with or without a list around it. */
export function singleShape(shapes: Shape | Shape[]): Shape {
  return Array.isArray(shapes[0]) ? (shapes[0] as Shape) : (shapes as Shape);
}

/** The size of the last axis, which a layer with weights must know when it is built. */
export function lastSize(layer: string, shape: Shape): number {
  const size = shape[shape.length - 1];
  if (size == null) {
    throw new ShapeError({
      what: `${layer}: the last axis of the input must have a known size`,
      received: `[${shape.map((n) => n ?? 'null').join(', ')}]`,
    });
  }
  return size;
}
