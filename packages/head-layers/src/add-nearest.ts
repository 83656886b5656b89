import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { resizeNearest } from './nearest.ts';
import { sumOf } from './sum.ts';

/**
 * Two inputs: the first, [batch, height, width, C], plus the second, [batch, h, w, C], resized to the first's height and
 * width by repeating pixels (PyTorch's `interpolate(mode='nearest')`): the top-down step of a feature pyramid network.
 */
export class AddNearest extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaAddNearest';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x, other] = inputs as [tf.Tensor4D, tf.Tensor4D];
    return tf.tidy(() => sumOf([x, resizeNearest(other, [x.shape[1], x.shape[2]])]));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }
}
tf.serialization.registerClass(AddNearest, '@e3va', AddNearest.className);
