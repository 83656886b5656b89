import { resizeBilinear } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';

/**
 * Two inputs: resizes the first, [batch, h, w, C], bilinearly with half-pixel centres to the height and width of the
 * second (PyTorch's `interpolate(align_corners=False)`). No gradient goes to the second.
 */
export class ResizeLike extends layers.Layer {
  /** @nocollapse */
  static className = 'E3vaResizeLike';

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x, like] = inputs as [tf.Tensor4D, tf.Tensor4D];
    return tf.tidy(() => resizeBilinear(x, [like.shape[1], like.shape[2]]));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [x, like] = inputShape as [Shape, Shape];
    return [x[0]!, like[1]!, like[2]!, x[3]!];
  }
}
tf.serialization.registerClass(ResizeLike, '@e3va', ResizeLike.className);
