import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { convJoined, convSame } from './conv-ops.ts';
import { listOf, shapesOf } from './lists.ts';
import { relu } from './relu.ts';

type Initializer = ReturnType<typeof initializers.zeros>;

/** Options of {@link Conv}. */
export interface ConvArgs {
  /** Channels of the output. */
  filters: number;
  /** Side of the square kernel, odd; 1 by default. */
  kernelSize?: number;
  /** Distance of the outputs, in pixels of the only input; 1 by default. */
  stride?: number;
  /** Whether to add one number a channel; true by default. */
  useBias?: boolean;
  /** What follows the convolution: nothing (the default) or ReLU. */
  activation?: 'linear' | 'relu';
  /**
   * How the kernel starts: as in PyTorch (the default, see {@link Conv}), uniform in ±√(6 / ((in + out) · size²)) (Glorot and
   * Bengio's), or normal with a standard deviation.
   */
  initializer?: 'torch' | 'xavier' | { normal: number };
  /** How the bias starts; by default as the kernel in PyTorch's case, else 0. */
  biasValue?: number | null;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number | null;
  name?: string;
}

/**
 * A convolution that keeps height and width, or divides them by a stride and rounds up; with the weights `kernel`
 * [size, size, in, out] and `bias` [out]. Around the map it sees zeros, as with PyTorch's padding of ⌊size / 2⌋.
 *
 * By default the initial weights are uniform in ±1/√(in · size²), PyTorch's default. With a normalisation behind it, smaller weights
 * learn faster under Adam: on 800 steps of CamVid, Kaiming's by fan-out, up to five times larger here, left five of eleven
 * classes unlearned.
 *
 * Several inputs count as one: resized to the first (bilinear, half-pixel centres) and joined along the channels; their stride is 1. Unlike
 * `tf.layers.conv2d`, it saves its input alone for the backward pass, and with ReLU its output; not what lies between.
 */
export class Conv extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaConv';
  private readonly args: Required<Omit<ConvArgs, 'name'>>;
  private kernel!: LayerVariable;
  private bias: LayerVariable | undefined;

  constructor({
    filters,
    kernelSize = 1,
    stride = 1,
    useBias = true,
    activation = 'linear',
    initializer = 'torch',
    biasValue = null,
    seed = null,
    ...rest
  }: ConvArgs) {
    super(rest);
    this.args = { filters, kernelSize, stride, useBias, activation, initializer, biasValue, seed };
  }

  override build(inputShape: Shape | Shape[]): void {
    const { filters, kernelSize, useBias, initializer, biasValue } = this.args;
    const from = shapesOf(inputShape).reduce((sum, shape) => sum + shape[3]!, 0);
    const kernel = this.kernelInitializer(from);
    this.kernel = this.addWeight('kernel', [kernelSize, kernelSize, from, filters], 'float32', kernel);
    const bias =
      initializer === 'torch' && biasValue === null
        ? this.uniform(torchBound(from, kernelSize), 500)
        : initializers.constant({ value: biasValue ?? 0 });
    if (useBias) this.bias = this.addWeight('bias', [filters], 'float32', bias);
    super.build(inputShape);
  }

  private kernelInitializer(from: number): Initializer {
    const { filters, kernelSize, initializer, seed } = this.args;
    if (initializer === 'torch') return this.uniform(torchBound(from, kernelSize), 0);
    if (initializer === 'xavier') return this.uniform(Math.sqrt(6 / ((from + filters) * kernelSize ** 2)), 0);
    return initializers.randomNormal({ mean: 0, stddev: initializer.normal, ...(seed !== null && { seed }) });
  }

  private uniform(bound: number, salt: number): Initializer {
    const { seed } = this.args;
    return initializers.randomUniform({
      minval: -bound,
      maxval: bound,
      ...(seed !== null && { seed: seed + salt }),
    });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const maps = listOf(inputs) as tf.Tensor4D[];
      const kernel = this.kernel.read() as tf.Tensor4D;
      const { stride, activation } = this.args;
      const conv = stride === 1 ? convJoined(maps, kernel) : convSame(maps[0]!, kernel, stride);
      const y = this.bias ? tf.add(conv, this.bias.read()) : conv;
      return activation === 'relu' ? relu(y) : y;
    });
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    const [batch, ...sides] = shapesOf(inputShape)[0]!.slice(0, -1);
    const strided = sides.map((side) => (side ? Math.ceil(side / this.args.stride) : null));
    return [batch!, ...strided, this.args.filters];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }
}
tf.serialization.registerClass(Conv, '@e3va', Conv.className);

function torchBound(from: number, kernelSize: number): number {
  return 1 / Math.sqrt(from * kernelSize * kernelSize);
}
