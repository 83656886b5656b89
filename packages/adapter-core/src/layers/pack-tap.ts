import { packTap } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';

/** Configuration of a {@link PackTap}. */
export interface PackTapConfig {
  name?: string;
  /** Bits of a number. */
  bits: 8 | 16;
}

/**
 * Packs a tap of shape [batch, ..., C] as it is made, in the frozen half: outputs the words (int32) and scales of
 * `packTap` of `@e3va/highway-grad`. No weights, no gradient.
 */
export class PackTap extends layers.Layer {
  static className = 'E3vaPackTap';
  private readonly config: PackTapConfig;

  constructor(config: PackTapConfig) {
    super({ name: config.name, trainable: false });
    this.config = config;
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const outer = (inputShape as Shape).slice(0, -1);
    return [
      [...outer, null],
      [...outer, null],
    ];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return tf.tidy(() => {
      const { codes, scales } = packTap([inputs].flat()[0]!, this.config.bits);
      return [codes, scales];
    });
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

tf.serialization.registerClass(PackTap, '@e3va', PackTap.className);
