import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { type LayerConfig, single, singleShape } from './layer.ts';

/**
 * Stochastic depth: sets whole samples to zero with probability `rate`, and scales the others by 1 / (1 - rate).
 *
 * Source: Huang et al., arXiv 1603.09382.
 *
 * @param x [batch, ...].
 * @param rate Probability to drop a sample, at least 0 and below 1.
 * @returns The shape of `x`.
 */
export function dropPath<T extends tf.Tensor>(x: T, rate: number): T {
  return tf.tidy(() => {
    const keep = 1 - rate;
    const shape = [x.shape[0]!, ...Array<number>(x.rank - 1).fill(1)];
    const kept = tf.floor(tf.add(tf.randomUniform(shape), keep));
    return tf.mul(x, tf.div(kept, keep));
  });
}

/** Options of {@link DropPath}. */
export interface DropPathConfig extends LayerConfig {
  /** Probability to drop a sample; default 0. */
  rate?: number;
}

/**
 * Layer of {@link dropPath}: the identity unless the rate is above 0 and the call is a training call.
 */
export class DropPath extends layers.Layer {
  static readonly className = 'E3vaDropPath';
  readonly rate: number;

  constructor(config: DropPathConfig = {}) {
    super(config);
    this.rate = config.rate ?? 0;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    const x = single(inputs);
    return this.rate > 0 && kwargs.training ? dropPath(x, this.rate) : x;
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    return singleShape(shape);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.rate };
  }
}

tf.serialization.registerClass(DropPath, '@e3va/swin', DropPath.className);
