import { gelu } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { type LayerConfig, lastSize, single, singleShape, weightInitializer } from './layer.ts';

/**
 * x · kernel + bias over the last axis, as one product of two matrices.
 *
 * @param x [..., in].
 * @param kernel [in, out].
 * @param bias [out]; none if left out.
 * @returns [..., out].
 */
export function linear(x: tf.Tensor, kernel: tf.Tensor2D, bias?: tf.Tensor1D): tf.Tensor {
  return tf.tidy(() => {
    const [size, units] = kernel.shape;
    const rows = tf.reshape(x, [x.size / size, size]);
    // without a bias the plain product: its gradient skips a kernel that is not trained, that of the fused one cannot
    const y = bias ? tf.fused.matMul({ a: rows, b: kernel, bias }) : tf.matMul(rows, kernel);
    return tf.reshape(y, [...x.shape.slice(0, -1), units]);
  });
}

/** Options of {@link Linear}. */
export interface LinearConfig extends LayerConfig {
  /** Size of the last axis of the result. */
  units: number;
  /** Whether to add a bias; default true. */
  useBias?: boolean;
  /** `'gelu'` for the exact GELU behind it; default `'linear'`. */
  activation?: 'linear' | 'gelu';
}

/**
 * Layer of {@link linear}, optionally followed by the exact GELU: [..., in] to [..., units].
 *
 * tfjs-layers' own `dense` copies (transposes) its kernel at every call on an input of rank 3 or more; this one
 * does not. Weights: `kernel` [in, units] and `bias` [units].
 */
export class Linear extends layers.Layer {
  static readonly className = 'E3vaLinear';
  /** Rows are worked on one by one: the input may be cut into slices of its leading axes. */
  readonly tokenwise = true;
  /** The layer is `activation(x · kernel + bias)` over the last axis and nothing else: LoRA may stand on it. */
  readonly affine = true;
  readonly units: number;
  readonly useBias: boolean;
  readonly activation: 'linear' | 'gelu';
  private kernel!: LayerVariable;
  private bias?: LayerVariable;

  constructor(config: LinearConfig) {
    super(config);
    this.units = config.units;
    this.useBias = config.useBias ?? true;
    this.activation = config.activation ?? 'linear';
  }

  override build(shape: Shape | Shape[]): void {
    const size = lastSize(this.name, singleShape(shape));
    this.kernel = this.addWeight('kernel', [size, this.units], 'float32', weightInitializer());
    if (this.useBias) this.bias = this.addWeight('bias', [this.units], 'float32', initializers.zeros());
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const kernel = this.kernel.read() as unknown as tf.Tensor2D;
      const y = linear(single(inputs), kernel, this.bias?.read() as tf.Tensor1D | undefined);
      return this.activation === 'gelu' ? gelu(y) : y;
    });
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    return [...singleShape(shape).slice(0, -1), this.units];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units, useBias: this.useBias, activation: this.activation };
  }
}

tf.serialization.registerClass(Linear, '@e3va/swin', Linear.className);
