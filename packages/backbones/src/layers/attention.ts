import { ShapeError } from '@e3va/highway-grad';
import type { LayerConfig } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { layers, type Shape } from '@tensorflow/tfjs-layers';
import { channelsOf, single, singleShape } from './layer.ts';

/**
 * Multi-head self-attention between the qkv projection and the output projection: softmax(q kᵀ / √d) v for each head.
 *
 * Source: Vaswani et al., arXiv 1706.03762, equation 1.
 *
 * @param qkv [batch, tokens, 3 * channels]: queries, keys and values, each of them head after head.
 * @param heads Number of heads; divides the channels.
 * @param mostScores How many scores may be held at a time; more are worked through in groups of heads, one at least.
 * @returns [batch, tokens, channels], head after head.
 */
export function selfAttention(qkv: tf.Tensor3D, heads: number, mostScores = 2 ** 24): tf.Tensor3D {
  return tf.tidy(() => {
    const [batch, tokens, triple] = qkv.shape;
    const depth = triple / 3 / heads;
    const rows = tf.reshape(qkv, [batch * tokens, 3 * heads, depth]);
    const byHead = tf.reshape(tf.transpose(rows, [1, 0, 2]), [3, batch * tokens * heads * depth]);
    const parts = tf.split(byHead, 3).map((part) => tf.reshape(part, [heads * batch, tokens, depth]));
    const most = Math.max(1, Math.floor(mostScores / tokens ** 2));
    const mixed = inGroups(parts as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D], most);
    const byToken = tf.transpose(tf.reshape(mixed, [heads, batch * tokens, depth]), [1, 0, 2]);
    return tf.reshape(byToken, [batch, tokens, triple / 3]);
  });
}

/** Attention of [heads * batch, tokens, depth] each, at most `most` heads at a time. */
function inGroups(parts: [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D], most: number): tf.Tensor3D {
  const [all, tokens, depth] = parts[0].shape;
  if (all <= most) return attend(...parts);
  const mixed: tf.Tensor3D[] = [];
  for (let at = 0; at < all; at += most) {
    const group = parts.map((part) => tf.slice(part, [at, 0, 0], [Math.min(most, all - at), tokens, depth]));
    mixed.push(attend(...(group as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D])));
  }
  return tf.concat(mixed);
}

function attend(q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D): tf.Tensor3D {
  return tf.tidy(() => {
    const scores = tf.matMul(tf.mul(q, q.shape[2] ** -0.5), k, false, true); // [heads * batch, tokens, tokens]
    return tf.matMul(tf.softmax(scores), v) as tf.Tensor3D;
  });
}

/** Options of {@link SelfAttention}. */
export interface SelfAttentionConfig extends LayerConfig {
  /** Number of heads; divides the channels. */
  heads: number;
}

/** Layer of {@link selfAttention}: [batch, tokens, 3 C] to [batch, tokens, C]. It has no weights. */
export class SelfAttention extends layers.Layer {
  static readonly className = 'E3vaSelfAttention';
  readonly heads: number;

  constructor(config: SelfAttentionConfig) {
    super(config);
    this.heads = config.heads;
  }

  override build(shape: Shape | Shape[]): void {
    const channels = channelsOf(this.name, singleShape(shape));
    if (channels % (3 * this.heads) !== 0) {
      throw new ShapeError({
        what: `${this.name}: queries, keys and values do not split into heads`,
        expected: `a multiple of 3 * ${this.heads} channels`,
        received: `${channels}`,
      });
    }
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return selfAttention(single(inputs), this.heads);
  }

  override computeOutputShape(shape: Shape | Shape[]): Shape {
    const given = singleShape(shape);
    return [...given.slice(0, -1), channelsOf(this.name, given) / 3];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), heads: this.heads };
  }
}

tf.serialization.registerClass(SelfAttention, '@e3va/backbones', SelfAttention.className);
