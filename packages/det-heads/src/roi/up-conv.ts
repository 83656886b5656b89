import { relu } from '@e3va/head-layers';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';

/** Options of {@link UpConv}. */
export interface UpConvArgs {
  /** Channels of the output. */
  filters: number;
  /** What follows: nothing (the default) or ReLU. */
  activation?: 'linear' | 'relu';
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number | null;
  name?: string;
}

/**
 * A transposed convolution of kernel 2 and stride 2, which doubles height and width: every pixel becomes 2×2 of them by a
 * matrix of its own. Weights `kernel` [in, 2, 2, out] and `bias` [out].
 *
 * As no two outputs overlap it is one matrix product. The initial kernel is normal with standard deviation
 * √(2 / (4 · in)), PyTorch's Kaiming by fan-out for its [in, out, 2, 2], as mmdetection starts it; the bias is 0.
 *
 * Equal to `torch.nn.ConvTranspose2d(in, out, 2, stride=2)` with its kernel transposed to [in, 2, 2, out].
 */
export class UpConv extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaUpConv';
  private readonly args: Required<Omit<UpConvArgs, 'name'>>;
  private kernel!: LayerVariable;
  private bias!: LayerVariable;

  constructor({ filters, activation = 'linear', seed = null, ...rest }: UpConvArgs) {
    super(rest);
    this.args = { filters, activation, seed };
  }

  override build(inputShape: Shape | Shape[]): void {
    const { filters, seed } = this.args;
    const from = single(inputShape)[3]!;
    const stddev = Math.sqrt(2 / (4 * from));
    const normal = initializers.randomNormal({ mean: 0, stddev, ...(seed !== null && { seed }) });
    this.kernel = this.addWeight('kernel', [from, 2, 2, filters], 'float32', normal);
    this.bias = this.addWeight('bias', [filters], 'float32', initializers.zeros());
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = (Array.isArray(inputs) ? inputs[0]! : inputs) as tf.Tensor4D;
      const [batch, height, width, from] = x.shape;
      const { filters, activation } = this.args;
      const rows = tf.reshape(x, [batch * height * width, from]);
      const kernel = tf.reshape(this.kernel.read(), [from, 4 * filters]);
      // [batch·h, w, 2, 2·out]: the two lines of every pixel beside each other, to be moved apart
      const pairs = tf.reshape(tf.matMul(rows, kernel), [batch * height, width, 2, 2 * filters]);
      const lines = tf.transpose(pairs, [0, 2, 1, 3]);
      const y = tf.add(tf.reshape(lines, [batch, 2 * height, 2 * width, filters]), this.bias.read());
      return activation === 'relu' ? relu(y) : y;
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [batch, height, width] = single(inputShape);
    const doubled = (n: number | null | undefined) => (typeof n === 'number' ? 2 * n : null);
    return [batch ?? null, doubled(height), doubled(width), this.args.filters];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }
}
tf.serialization.registerClass(UpConv, '@e3va', UpConv.className);

function single(shape: Shape | Shape[]): Shape {
  return (Array.isArray(shape[0]) ? shape[0] : shape) as Shape;
}
