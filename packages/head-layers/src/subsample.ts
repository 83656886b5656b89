import { separable } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { listOf, shapesOf } from './lists.ts';

/**
 * Every second pixel of a map, from the first on: max pooling of one pixel with a stride of 2, by which a feature pyramid
 * network gets another level. Its gradient is right on every backend, unlike that of `tf.maxPool`.
 */
export class Subsample extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaSubsample';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = listOf(inputs)[0] as tf.Tensor4D;
      return separable(x, everySecond(x.shape[1]), everySecond(x.shape[2]));
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [batch, height, width, channels] = shapesOf(inputShape)[0]!;
    const half = (side: number | null | undefined) => (side ? Math.ceil(side / 2) : null);
    return [batch!, half(height), half(width), channels!];
  }
}
tf.serialization.registerClass(Subsample, '@e3va', Subsample.className);

/** Shape [⌈side / 2⌉, side]: a 1 a row. */
function everySecond(side: number): tf.Tensor2D {
  const rows = Math.ceil(side / 2);
  const matrix = new Float32Array(rows * side);
  for (let i = 0; i < rows; i++) matrix[i * side + 2 * i] = 1;
  return tf.tensor2d(matrix, [rows, side]);
}
