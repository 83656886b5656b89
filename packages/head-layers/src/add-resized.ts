import { resizeBilinear } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { sumOf } from './sum.ts';

/**
 * Two inputs: the first, [batch, height, width, C], plus the second, [batch, h, w, C], resized to the first's height and
 * width (bilinear, half-pixel centres: PyTorch's `interpolate(align_corners=False)`). Keeps nothing for its gradient.
 */
export class AddResized extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaAddResized';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x, other] = inputs as [tf.Tensor4D, tf.Tensor4D];
    return tf.tidy(() => sumOf([x, resizeBilinear(other, [x.shape[1], x.shape[2]])]));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }
}
tf.serialization.registerClass(AddResized, '@e3va', AddResized.className);
