import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { listOf, shapesOf } from './lists.ts';

/**
 * Sets whole channels of each image to zero with probability `rate` and scales the others by 1 / (1 − rate), like
 * PyTorch's `Dropout2d`. The gradient keeps the mask alone.
 *
 * @param x Shape [batch, height, width, C].
 * @param rate In [0, 1).
 * @param seed The same seed draws the same mask.
 */
export function channelDropout<T extends tf.Tensor>(x: T, rate: number, seed: string): T {
  const op = tf.customGrad((input, save) => {
    const x = input as tf.Tensor;
    const mask = tf.tidy(() => {
      const uniform = tf.randomUniform([x.shape[0]!, 1, 1, x.shape[3]!], 0, 1, 'float32', seed);
      return tf.mul(tf.floor(tf.add(uniform, 1 - rate)), 1 / (1 - rate)); // 0 or 1 / (1 - rate)
    });
    (save as tf.GradSaveFunc)([mask]);
    return { value: tf.mul(x, mask), gradFunc: (dy: tf.Tensor, [mask]: tf.Tensor[]) => tf.mul(dy, mask!) };
  });
  return op(x) as T;
}

/** Options of {@link ChannelDropout}. */
export interface ChannelDropoutArgs {
  /** Probability that a channel is dropped, in [0, 1). */
  rate: number;
  /** Seed of the masks; without one they differ at each construction. */
  seed?: number | null;
  name?: string;
}

/**
 * Dropout of whole channels, PyTorch's `Dropout2d`; the identity unless `training: true`.
 *
 * The mask depends on the seed and on `calls`, a non-trainable weight of one number that counts the training calls: a
 * model that is saved with its weights and loaded again draws the masks that it would have drawn.
 */
export class ChannelDropout extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaChannelDropout';
  private readonly rate: number;
  private readonly seed: number;
  private calls!: LayerVariable;

  constructor({ rate, seed, ...rest }: ChannelDropoutArgs) {
    super(rest);
    this.rate = rate;
    this.seed = seed ?? Math.floor(Math.random() * 2 ** 31);
  }

  override build(inputShape: Shape | Shape[]): void {
    this.calls = this.addWeight('calls', [1], 'float32', initializers.zeros(), undefined, false);
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    const x = listOf(inputs)[0]!;
    if (!kwargs.training || this.rate === 0) return x;
    return tf.tidy(() => {
      // its value was made on the CPU and no kernel reads it: no wait for a GPU
      const calls = this.calls.read().dataSync()[0]!;
      this.calls.write(tf.tensor1d([calls + 1]));
      return channelDropout(x, this.rate, `${this.seed}.${calls}`);
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return shapesOf(inputShape)[0]!;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), rate: this.rate, seed: this.seed };
  }
}
tf.serialization.registerClass(ChannelDropout, '@e3va', ChannelDropout.className);
