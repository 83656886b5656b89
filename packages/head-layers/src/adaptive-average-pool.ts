import { adaptiveAveragePool } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { listOf, shapesOf } from './lists.ts';

/** Options of {@link AdaptiveAveragePool}. */
export interface AdaptiveAveragePoolArgs {
  /** Height and width of the output. */
  size: [number, number];
  name?: string;
}

/** Averages a map of any height and width into a fixed number of bins, like PyTorch's `AdaptiveAvgPool2d`. */
export class AdaptiveAveragePool extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaAdaptiveAveragePool';
  private readonly size: [number, number];

  constructor({ size, ...rest }: AdaptiveAveragePoolArgs) {
    super(rest);
    this.size = size;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => adaptiveAveragePool(listOf(inputs)[0]! as tf.Tensor4D, this.size));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [batch, , , channels] = shapesOf(inputShape)[0]!;
    return [batch!, ...this.size, channels!];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), size: this.size };
  }
}
tf.serialization.registerClass(AdaptiveAveragePool, '@e3va', AdaptiveAveragePool.className);
