import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';

/** What a stage of the base adds to its stream: inputs the stream in front of the stage and behind it, output their difference. */
export class StreamChange extends layers.Layer {
  static className = 'E3vaStreamChange';

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[0]!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [before, after] = inputs as [tf.Tensor, tf.Tensor];
    return tf.sub(after, before);
  }
}

tf.serialization.registerClass(StreamChange, '@e3va', StreamChange.className);
