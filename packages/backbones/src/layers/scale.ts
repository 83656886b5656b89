import type { LayerConfig } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { channelsOf, single, singleShape } from './layer.ts';

/** Options of {@link Scale}. */
export interface ScaleConfig extends LayerConfig {
  /** What the factors start as; default 1. */
  initial?: number;
}

/**
 * LayerScale: each channel times a factor of its own. Weight: `gamma` [C].
 *
 * Source: Touvron et al., arXiv 2103.17239, section 2.
 */
export class Scale extends layers.Layer {
  static readonly className = 'E3vaScale';
  /** Rows are worked on one by one: the input may be cut into slices of its leading axes. */
  readonly tokenwise = true;
  readonly initial: number;
  private gamma!: LayerVariable;

  constructor(config: ScaleConfig = {}) {
    super(config);
    this.initial = config.initial ?? 1;
  }

  override build(shape: Shape | Shape[]): void {
    const channels = channelsOf(this.name, singleShape(shape));
    const start = initializers.constant({ value: this.initial });
    this.gamma = this.addWeight('gamma', [channels], 'float32', start);
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.mul(single(inputs), this.gamma.read());
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    return singleShape(shape);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), initial: this.initial };
  }
}

tf.serialization.registerClass(Scale, '@e3va/backbones', Scale.className);
