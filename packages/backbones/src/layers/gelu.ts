import { gelu } from '@e3va/highway-grad';
import type { LayerConfig } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { single, singleShape } from './layer.ts';

/** Layer of the exact GELU, `x Φ(x)`. */
export class Gelu extends layers.Layer {
  static readonly className = 'E3vaGelu';
  /** Rows are worked on one by one: the input may be cut into slices of its leading axes. */
  readonly tokenwise = true;

  constructor(config: LayerConfig = {}) {
    super(config);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return gelu(single(inputs));
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    return singleShape(shape);
  }
}

tf.serialization.registerClass(Gelu, '@e3va/backbones', Gelu.className);
