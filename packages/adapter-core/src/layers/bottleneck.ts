import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { bottleneck } from './bottleneck-op.ts';
import { uniform } from './uniform.ts';

/** Configuration of a {@link Bottleneck}. */
export interface BottleneckConfig {
  name?: string;
  trainable?: boolean;
  /** Hidden width. */
  width: number;
  /** `gelu` (the exact one) or `relu`. */
  activation: 'gelu' | 'relu';
  /** What the branch is multiplied by. */
  scale: number;
  /** Share of the hidden width that is dropped in training. */
  dropout: number;
  /** `zero`: the last kernel starts at zero, so that a fresh layer changes nothing; `kaiming`: no kernel does. */
  init: 'zero' | 'kaiming';
  /** Seed of the initial weights. */
  seed: number;
}

/**
 * A bottleneck adapter as a layer: `y + scale · (activation(x W_d + b_d) W_u + b_u)` over the last axis.
 *
 * Inputs: x alone, which is y as well, or y and x of one shape [batch, ..., C]. Weights: `down_kernel` [C, width],
 * `down_bias`, `up_kernel` [width, C], `up_bias`.
 *
 * Source: Houlsby et al., arXiv 1902.00751 (x alone); Chen et al., arXiv 2205.13535 (AdaptFormer).
 */
export class Bottleneck extends layers.Layer {
  static className = 'E3vaBottleneck';
  private readonly config: BottleneckConfig;
  private parts: Record<string, LayerVariable> = {};

  constructor(config: BottleneckConfig) {
    super(config as unknown as ConstructorParameters<typeof layers.Layer>[0]);
    this.config = config;
    this.supportsMasking = true;
  }

  override build(inputShape: Shape | Shape[]): void {
    const channels = ([inputShape].flat(2) as Shape).at(-1) as number;
    const { width, init, seed } = this.config;
    const add = (name: string, shape: Shape, start: ReturnType<typeof uniform>) => {
      this.parts[name] = this.addWeight(name, shape, 'float32', start);
    };
    add('down_kernel', [channels, width], uniform(channels, seed));
    add('down_bias', [width], initializers.zeros());
    add('up_kernel', [width, channels], init === 'zero' ? initializers.zeros() : uniform(width, seed + 1));
    add('up_bias', [channels], initializers.zeros());
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], { training }: { training?: boolean } = {}): tf.Tensor {
    const list = [inputs].flat();
    const [y, x] = [list[0]!, list.at(-1)!];
    const { activation, scale, dropout, width } = this.config;
    const part = (name: string) => ({
      factors: [this.parts[`${name}_kernel`]!.read() as tf.Tensor2D],
      bias: this.parts[`${name}_bias`]!.read() as tf.Tensor1D,
    });
    return tf.tidy(() => {
      const rows = x.size / x.shape[x.rank - 1]!;
      const mask =
        training && dropout > 0 ? tf.dropout(tf.ones<tf.Rank.R2>([rows, width]), dropout) : undefined;
      return bottleneck(
        y,
        x,
        { down: part('down'), up: part('up') },
        { activation, scale, mask: mask as tf.Tensor2D },
      );
    });
  }

  override computeMask(_inputs: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]) {
    return Array.isArray(mask) ? mask[0]! : mask!;
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

tf.serialization.registerClass(Bottleneck, '@e3va', Bottleneck.className);
