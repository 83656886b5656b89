import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { attend, splitHeads, type WindowAttentionConfig } from '../attention.ts';
import { lastSize, weightInitializer } from '../layer.ts';
import { windowMask } from '../mask.ts';
import { continuousPositionBias } from './position-bias.ts';

/** Largest logarithm of the factor on the cosines: the temperature stays above 0.01. */
const mostLogit = Math.log(100);

/** Channels of the hidden layer of the position network. */
const hiddenUnits = 512;

/**
 * Multi-head cosine attention inside windows, between the qkv projection and the output projection:
 * softmax(exp(min(scale, log 100)) cos(q, k) + bias + mask) v for each head.
 *
 * Source: Liu et al., arXiv 2111.09883, equation 2.
 *
 * @param qkv [windows, tokens, 3 * channels]: queries, keys and values, each of them head after head.
 * @param scale [heads], logarithms of what the cosines are multiplied by.
 * @param bias [heads, tokens²], added to the scores of every window.
 * @param mask [windows of one image, tokens²], added to the scores of every head; none if left out.
 * @returns [windows, tokens, channels], head after head.
 */
export function cosineAttention(
  qkv: tf.Tensor3D,
  scale: tf.Tensor1D,
  bias: tf.Tensor2D,
  mask?: tf.Tensor2D,
): tf.Tensor3D {
  return tf.tidy(() => {
    const heads = scale.shape[0];
    const [q, k, v] = splitHeads(qkv, heads);
    const factor = tf.reshape(tf.exp(tf.minimum(scale, mostLogit)), [heads, 1, 1]);
    const perRow = tf.mul(tf.reshape(inverseNorms(q), [heads, q.shape[0] / heads, q.shape[1]]), factor);
    const queries = tf.mul(q, tf.reshape(perRow, [q.shape[0], q.shape[1], 1])) as tf.Tensor3D;
    return attend([queries, tf.mul(k, inverseNorms(k)), v], heads, bias, mask);
  });
}

/** 1 / ‖x‖ over the last axis, which is kept; 10¹² for shorter vectors than 10⁻¹²: keys of padding are exactly zero. */
function inverseNorms(x: tf.Tensor3D): tf.Tensor3D {
  return tf.rsqrt(tf.maximum(tf.sum(tf.square(x), -1, true), 1e-24));
}

/** Options of {@link CosineWindowAttention}. */
export interface CosineWindowAttentionConfig extends WindowAttentionConfig {
  /** Side of the window in pretraining; default that of `window`. */
  pretrainedWindow?: number;
}

/**
 * Layer of {@link cosineAttention}: the qkv projection's result without biases [windows, window², 3 C] and the map that the
 * windows were cut from [batch, height, width, any] (only its shape is read, for the mask) to [windows, window², C].
 *
 * Weights: `q_bias` and `v_bias`, [C] (keys have none); `logit_scale`, [heads]; those of the position network
 * `cpb_mlp.0.kernel` [2, 512], `cpb_mlp.0.bias` [512] and `cpb_mlp.2.kernel` [512, heads]. Their number does not depend on
 * the window.
 */
export class CosineWindowAttention extends layers.Layer {
  static readonly className = 'E3vaCosineWindowAttention';
  readonly heads: number;
  readonly window: number;
  readonly shift: number;
  readonly pretrainedWindow: number;
  private qBias!: LayerVariable;
  private vBias!: LayerVariable;
  private scale!: LayerVariable;
  private hidden!: LayerVariable;
  private hiddenBias!: LayerVariable;
  private out!: LayerVariable;

  constructor(config: CosineWindowAttentionConfig) {
    super(config);
    this.heads = config.heads;
    this.window = config.window;
    this.shift = config.shift ?? 0;
    this.pretrainedWindow = config.pretrainedWindow ?? config.window;
  }

  override build(shapes: Shape | Shape[]): void {
    const triple = lastSize(this.name, (shapes as [Shape, Shape])[0]);
    if (triple % (3 * this.heads) !== 0) {
      throw new ShapeError({
        what: `${this.name}: queries, keys and values do not split into heads`,
        expected: `a multiple of 3 * ${this.heads} channels`,
        received: `${triple}`,
      });
    }
    const zeros = initializers.zeros();
    const drawn = weightInitializer();
    const ten = initializers.constant({ value: Math.log(10) });
    this.qBias = this.addWeight('q_bias', [triple / 3], 'float32', zeros);
    this.vBias = this.addWeight('v_bias', [triple / 3], 'float32', zeros);
    this.scale = this.addWeight('logit_scale', [this.heads], 'float32', ten);
    this.hidden = this.addWeight('cpb_mlp.0.kernel', [2, hiddenUnits], 'float32', drawn);
    this.hiddenBias = this.addWeight('cpb_mlp.0.bias', [hiddenUnits], 'float32', zeros);
    this.out = this.addWeight('cpb_mlp.2.kernel', [hiddenUnits, this.heads], 'float32', drawn);
    super.build(shapes);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [qkv, map] = inputs as [tf.Tensor3D, tf.Tensor4D];
      const mask = windowMask(map, this.window, this.shift);
      return cosineAttention(
        tf.add(qkv, this.biases()),
        this.scale.read() as tf.Tensor1D,
        this.positions(),
        mask,
      );
    });
  }

  private biases(): tf.Tensor1D {
    const [q, v] = [this.qBias.read() as tf.Tensor1D, this.vBias.read() as tf.Tensor1D];
    return tf.concat([q, tf.zeros<tf.Rank.R1>(q.shape), v]);
  }

  private positions(): tf.Tensor2D {
    const network = {
      hidden: this.hidden.read() as unknown as tf.Tensor2D,
      bias: this.hiddenBias.read() as tf.Tensor1D,
      out: this.out.read() as unknown as tf.Tensor2D,
    };
    return continuousPositionBias(network, this.window, this.pretrainedWindow);
  }

  override computeOutputShape(shapes: Shape | Shape[]): Shape {
    const [windows, tokens, triple] = (shapes as [Shape, Shape])[0] as [Shape[0], number, number];
    return [windows, tokens, triple / 3];
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { heads, window, shift, pretrainedWindow } = this;
    return { ...super.getConfig(), heads, window, shift, pretrainedWindow };
  }
}

tf.serialization.registerClass(CosineWindowAttention, '@e3va/swin', CosineWindowAttention.className);
