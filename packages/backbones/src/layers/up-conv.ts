import { type LayerConfig, linear } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { channelsOf, single, singleShape } from './layer.ts';

/**
 * A transposed convolution of kernel and stride 2: each pixel becomes a square of four, as one product of two matrices.
 *
 * Equal to PyTorch's `conv_transpose2d(stride=2)` with a kernel [in, out, 2, 2] whose axes are ordered in, row, column, out.
 *
 * @param x [batch, height, width, in].
 * @param kernel [in, 4 out]; its columns in the order row of the square, column of the square, channel.
 * @param bias [out].
 * @returns [batch, 2 height, 2 width, out].
 */
export function upConv(x: tf.Tensor4D, kernel: tf.Tensor2D, bias: tf.Tensor1D): tf.Tensor4D {
  return tf.tidy(() => {
    const [batch, height, width] = x.shape;
    const filters = kernel.shape[1] / 4;
    const squares = tf.reshape(linear(x, kernel), [batch * height, width, 2, 2 * filters]);
    const rows = tf.transpose(squares, [0, 2, 1, 3]); // [batch * height, row of the square, width, 2 filters]
    return tf.add(tf.reshape(rows, [batch, 2 * height, 2 * width, filters]), bias);
  });
}

/** Options of {@link UpConv}. */
export interface UpConvConfig extends LayerConfig {
  /** Channels of the result. */
  filters: number;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number | null;
}

/**
 * Layer of {@link upConv}, [batch, height, width, C] to [batch, 2 height, 2 width, filters]. Weights: `kernel` [C, 4 filters] and
 * `bias` [filters], uniform in ±1/√(4 filters) at the start, as in PyTorch.
 */
export class UpConv extends layers.Layer {
  static readonly className = 'E3vaUpConv';
  readonly filters: number;
  readonly seed: number | null;
  private kernel!: LayerVariable;
  private bias!: LayerVariable;

  constructor(config: UpConvConfig) {
    super(config);
    this.filters = config.filters;
    this.seed = config.seed ?? null;
  }

  override build(shape: Shape | Shape[]): void {
    const channels = channelsOf(this.name, singleShape(shape));
    this.kernel = this.addWeight('kernel', [channels, 4 * this.filters], 'float32', this.uniform(0));
    this.bias = this.addWeight('bias', [this.filters], 'float32', this.uniform(500));
    super.build(shape);
  }

  private uniform(salt: number) {
    const bound = 0.5 / Math.sqrt(this.filters);
    const seed = this.seed === null ? {} : { seed: this.seed + salt };
    return initializers.randomUniform({ minval: -bound, maxval: bound, ...seed });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [kernel, bias] = [this.kernel.read() as tf.Tensor, this.bias.read() as tf.Tensor];
    return upConv(single(inputs), kernel as tf.Tensor2D, bias as tf.Tensor1D);
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    const [batch, height, width] = singleShape(shape);
    const twice = (n: number | null | undefined) => (n == null ? null : 2 * n);
    return [batch ?? null, twice(height), twice(width), this.filters];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), filters: this.filters, seed: this.seed };
  }
}

tf.serialization.registerClass(UpConv, '@e3va/backbones', UpConv.className);
