import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { bottleneck, type Projection } from './bottleneck-op.ts';
import { uniform } from './uniform.ts';

/** Configuration of a {@link LoRandLayer}. */
export interface LoRandLayerConfig {
  name?: string;
  trainable?: boolean;
  /** How many synthesised kernels are added up. */
  alpha: number;
  /** Size of the inner kernels. */
  beta: number;
  /** Whether the down and the up projection share the inner kernels. */
  shared: boolean;
  /** `zero`: the last factors start at zero, so that a fresh layer changes nothing; `kaiming`: no factor does. */
  init: 'zero' | 'kaiming';
  /** Seed of the initial weights. */
  seed: number;
}

/**
 * LoRand's adapter as a layer: `x + gelu(x W_d + b_d) W_u + b_u` over the last axis of [batch, ..., C], with hidden
 * width C/2 and both kernels synthesised, `W = Σ q_i k_i p_i` over α branches.
 *
 * Weights: `down_q` [α, C, β], `down_p` [α, β, C/2], `down_bias`, `up_q` [α, C/2, β], `up_p` [α, β, C], `up_bias`, and
 * `kernels` [α, β, β], or `down_kernels` and `up_kernels` where they are not shared.
 *
 * Source: Yin et al., CVPR 2023, arXiv 2303.09192.
 */
export class LoRandLayer extends layers.Layer {
  static className = 'E3vaLoRand';
  private readonly config: LoRandLayerConfig;
  private parts: Record<string, LayerVariable> = {};

  constructor(config: LoRandLayerConfig) {
    super(config as unknown as ConstructorParameters<typeof layers.Layer>[0]);
    this.config = config;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const channels = ([inputShape].flat(2) as Shape).at(-1) as number;
    const { alpha, beta, shared, init, seed } = this.config;
    const width = Math.max(1, Math.floor(channels / 2));
    const add = (name: string, shape: Shape, start: ReturnType<typeof uniform>) => {
      this.parts[name] = this.addWeight(name, shape, 'float32', start);
    };
    add('down_q', [alpha, channels, beta], uniform(channels, seed));
    add('down_p', [alpha, beta, width], uniform(beta, seed + 1));
    add('down_bias', [width], initializers.zeros());
    add('up_q', [alpha, width, beta], uniform(width, seed + 2));
    add('up_p', [alpha, beta, channels], init === 'zero' ? initializers.zeros() : uniform(beta, seed + 3));
    add('up_bias', [channels], initializers.zeros());
    const names = shared ? ['kernels'] : ['down_kernels', 'up_kernels'];
    names.forEach((name, i) => {
      add(name, [alpha, beta, beta], uniform(beta, seed + 4 + i));
    });
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return inputShape as Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [x] = [inputs].flat() as [tf.Tensor];
    return tf.tidy(() => {
      const weights = { down: this.projection('down'), up: this.projection('up') };
      return bottleneck(x, x, weights, { activation: 'gelu', scale: 1 });
    });
  }

  /** Both factors, of rank α β, of a projection's kernel; on the tape. */
  private projection(name: 'down' | 'up'): Projection {
    const read = (part: string) => this.parts[part]!.read();
    const { alpha, beta, shared } = this.config;
    const kernels = read(shared ? 'kernels' : `${name}_kernels`) as tf.Tensor3D;
    const [q, p] = [read(`${name}_q`), read(`${name}_p`)] as [tf.Tensor3D, tf.Tensor3D];
    const [from, to] = [q.shape[1], p.shape[2]];
    return {
      factors: [
        // [α, in, β] to [in, α β]
        tf.reshape(tf.transpose(q, [1, 0, 2]), [from, alpha * beta]),
        tf.reshape(tf.matMul(kernels, p), [alpha * beta, to]),
      ],
      bias: read(`${name}_bias`) as tf.Tensor1D,
    };
  }

  override computeMask(_inputs: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]) {
    return mask as tf.Tensor;
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

tf.serialization.registerClass(LoRandLayer, '@e3va', LoRandLayer.className);
