import { gelu } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { MethodLayerError } from '../methods/options.ts';
import { addProjection } from './bottleneck-op.ts';
import { rowsOf } from './linear-map.ts';
import { scaledNormProjection } from './mona-op.ts';
import { uniform } from './uniform.ts';

/** Configuration of a {@link MonaLayer}. */
export interface MonaLayerConfig {
  name?: string;
  trainable?: boolean;
  /** Hidden width. */
  width: number;
  /** Share of the hidden width that is dropped in training. */
  dropout: number;
  /** `zero`: the last kernel starts at zero, so that a fresh layer changes nothing; `kaiming`: no kernel does. */
  init: 'zero' | 'kaiming';
  /** Seed of the initial weights. */
  seed: number;
}

const sizes = [3, 5, 7] as const;
const epsilon = 1e-5;

/**
 * Mona's adapter as a layer on maps [batch, height, width, C]: `x + up(gelu(g(down(s₁ ∘ layerNorm(x) + s₂ ∘ x))))`, where
 * g adds to its input the mean of three depthwise convolutions (3 × 3, 5 × 5, 7 × 7), and to that a 1 × 1 convolution
 * of it.
 *
 * Weights: `norm_gamma`, `norm_beta`, `scale_norm` (1e-6 at the start), `scale_input` (one), each [C]; `down_kernel`
 * [C, width], `down_bias`; `depthwise3_kernel` [3, 3, width, 1] and so on, with biases; `pointwise_kernel`
 * [width, width], `pointwise_bias`; `up_kernel` [width, C], `up_bias`.
 *
 * Source: Yin et al., arXiv 2408.08345.
 */
export class MonaLayer extends layers.Layer {
  static className = 'E3vaMona';
  private readonly config: MonaLayerConfig;
  private parts: Record<string, LayerVariable> = {};

  constructor(config: MonaLayerConfig) {
    super(config as unknown as ConstructorParameters<typeof layers.Layer>[0]);
    this.config = config;
  }

  override build(inputShape: Shape | Shape[]): void {
    const shape = inputShape as Shape;
    if (shape.length !== 4) throw noMap(this.name, shape);
    const channels = shape[3] as number;
    const { width, init, seed } = this.config;
    const { ones, zeros } = initializers;
    const add = (name: string, shape: Shape, start: ReturnType<typeof zeros>) => {
      this.parts[name] = this.addWeight(name, shape, 'float32', start);
    };
    add('norm_gamma', [channels], ones());
    add('norm_beta', [channels], zeros());
    add('scale_norm', [channels], initializers.constant({ value: 1e-6 }));
    add('scale_input', [channels], ones());
    add('down_kernel', [channels, width], uniform(channels, seed));
    add('down_bias', [width], zeros());
    sizes.forEach((size, i) => {
      add(`depthwise${size}_kernel`, [size, size, width, 1], uniform(size * size, seed + 1 + i));
      add(`depthwise${size}_bias`, [width], zeros());
    });
    add('pointwise_kernel', [width, width], uniform(width, seed + 4));
    add('pointwise_bias', [width], zeros());
    add('up_kernel', [width, channels], init === 'zero' ? zeros() : uniform(width, seed + 5));
    add('up_bias', [channels], zeros());
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return inputShape as Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], { training }: { training?: boolean } = {}): tf.Tensor {
    const [x] = [inputs].flat() as [tf.Tensor4D];
    const { dropout } = this.config;
    return tf.tidy(() => {
      const active = gelu(this.mixed(this.entry(x)));
      const rows = rowsOf(training && dropout > 0 ? tf.dropout(active, dropout) : active);
      return addProjection(x, rows, {
        factors: [this.read('up_kernel') as tf.Tensor2D],
        bias: this.read('up_bias') as tf.Tensor1D,
      });
    });
  }

  private read(name: string): tf.Tensor {
    return this.parts[name]!.read();
  }

  /** down(s₁ ∘ layerNorm(x) + s₂ ∘ x): [batch, height, width, hidden width]. */
  private entry(x: tf.Tensor4D): tf.Tensor4D {
    const vector = (name: string) => this.read(name) as tf.Tensor1D;
    const weights = {
      gamma: vector('norm_gamma'),
      beta: vector('norm_beta'),
      scaleNorm: vector('scale_norm'),
      scaleInput: vector('scale_input'),
      kernel: this.read('down_kernel') as tf.Tensor2D,
      bias: vector('down_bias'),
    };
    return scaledNormProjection(x, weights, epsilon) as tf.Tensor4D;
  }

  /** The convolutions, with their skips. */
  private mixed(h: tf.Tensor4D): tf.Tensor {
    const each = sizes.map((size) => {
      const kernel = this.read(`depthwise${size}_kernel`) as tf.Tensor4D;
      return tf.depthwiseConv2d(h, kernel, 1, 'same');
    });
    const biases = tf.addN(sizes.map((size) => this.read(`depthwise${size}_bias`)));
    const mean = tf.div(tf.add(tf.addN(each), biases), sizes.length);
    const wide = rowsOf(tf.add(mean, h));
    const point = tf.add(
      tf.matMul(wide, this.read('pointwise_kernel') as tf.Tensor2D),
      this.read('pointwise_bias'),
    );
    return tf.reshape(tf.add(wide, point), h.shape);
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

function noMap(name: string, shape: Shape): MethodLayerError {
  return new MethodLayerError({
    what: `mona: '${name}' needs a map, which its convolutions run over`,
    expected: '[batch, height, width, channels]',
    received: `[${shape.map((n) => n ?? 'null').join(', ')}]`,
    fix: 'choose layers whose results are maps, or the method adapter',
  });
}

tf.serialization.registerClass(MonaLayer, '@e3va', MonaLayer.className);
