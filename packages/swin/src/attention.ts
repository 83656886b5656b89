import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { type LayerConfig, lastSize, weightInitializer } from './layer.ts';
import { windowMask } from './mask.ts';
import { relativePositionBias } from './relative-bias.ts';

/**
 * Multi-head attention inside windows, between the qkv projection and the output projection:
 * softmax(q kᵀ / √d + bias + mask) v for each head.
 *
 * Source: Liu et al., arXiv 2103.14030, equation 4.
 *
 * @param qkv [windows, tokens, 3 * channels]: queries, keys and values, each of them head after head.
 * @param heads Number of heads; divides the channels.
 * @param bias [heads, tokens²], added to the scores of every window.
 * @param mask [windows of one image, tokens²], added to the scores of every head; none if left out.
 * @returns [windows, tokens, channels], head after head.
 */
export function windowAttention(
  qkv: tf.Tensor3D,
  heads: number,
  bias: tf.Tensor2D,
  mask?: tf.Tensor2D,
): tf.Tensor3D {
  return tf.tidy(() => {
    const [q, k, v] = splitHeads(qkv, heads);
    return attend([tf.mul(q, q.shape[2] ** -0.5), k, v], heads, bias, mask);
  });
}

/** Queries, keys and values apart, head after head. */
type Heads = [q: tf.Tensor3D, k: tf.Tensor3D, v: tf.Tensor3D];

/** [windows, tokens, 3 * heads * depth] to queries, keys and values, [heads * windows, tokens, depth] each. */
export function splitHeads(qkv: tf.Tensor3D, heads: number): Heads {
  const [windows, tokens, triple] = qkv.shape;
  const depth = triple / 3 / heads;
  const rows = tf.reshape(qkv, [windows * tokens, 3 * heads, depth]);
  const byHead = tf.reshape(tf.transpose(rows, [1, 0, 2]), [3, windows * tokens * heads * depth]);
  return tf.split(byHead, 3).map((part) => tf.reshape(part, [heads * windows, tokens, depth])) as Heads;
}

/** softmax(q kᵀ + bias + mask) v of split heads, back as [windows, tokens, heads * depth]. */
export function attend([q, k, v]: Heads, heads: number, bias: tf.Tensor2D, mask?: tf.Tensor2D): tf.Tensor3D {
  const [rows, tokens, depth] = q.shape;
  const windows = rows / heads;
  const scores = tf.matMul(q, k, false, true); // [heads * windows, tokens, tokens]
  const biased = tf.add(tf.reshape(scores, offsetShape(heads, windows, mask, tokens)), offsets(bias, mask));
  const weights = tf.softmax(tf.reshape(biased, [rows, tokens, tokens]));
  const mixed = tf.reshape(tf.matMul(weights, v), [heads, windows * tokens, depth]);
  return tf.reshape(tf.transpose(mixed, [1, 0, 2]), [windows, tokens, heads * depth]);
}

/** Bias and mask in one: [heads, 1, windows of one image or 1, tokens²]. */
function offsets(bias: tf.Tensor2D, mask?: tf.Tensor2D): tf.Tensor4D {
  const [heads, pairs] = bias.shape;
  const wide = tf.reshape(bias, [heads, 1, 1, pairs]) as tf.Tensor4D;
  return mask ? tf.add(wide, tf.reshape(mask, [1, 1, mask.shape[0], pairs])) : wide;
}

function offsetShape(heads: number, windows: number, mask: tf.Tensor2D | undefined, tokens: number) {
  const each = mask?.shape[0] ?? windows;
  return [heads, windows / each, each, tokens ** 2] as [number, number, number, number];
}

/** Options of {@link WindowAttention}. */
export interface WindowAttentionConfig extends LayerConfig {
  /** Number of heads; divides the channels. */
  heads: number;
  /** Side of a window in tokens. */
  window: number;
  /** How far the windows are shifted; default 0. */
  shift?: number;
}

/**
 * Layer of {@link windowAttention}: the qkv projection's result [windows, window², 3 C] and the map that the windows
 * were cut from [batch, height, width, any] (only its shape is read, for the mask) to [windows, window², C].
 *
 * Its only weight is `relative_position_bias_table`, [(2 * window - 1)², heads].
 */
export class WindowAttention extends layers.Layer {
  static readonly className = 'E3vaWindowAttention';
  readonly heads: number;
  readonly window: number;
  readonly shift: number;
  private table!: LayerVariable;

  constructor(config: WindowAttentionConfig) {
    super(config);
    this.heads = config.heads;
    this.window = config.window;
    this.shift = config.shift ?? 0;
  }

  override build(shapes: Shape | Shape[]): void {
    const channels = lastSize(this.name, (shapes as [Shape, Shape])[0]);
    if (channels % (3 * this.heads) !== 0) {
      throw new ShapeError({
        what: `${this.name}: queries, keys and values do not split into heads`,
        expected: `a multiple of 3 * ${this.heads} channels`,
        received: `${channels}`,
      });
    }
    const shape = [(2 * this.window - 1) ** 2, this.heads];
    this.table = this.addWeight('relative_position_bias_table', shape, 'float32', weightInitializer());
    super.build(shapes);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [qkv, map] = inputs as [tf.Tensor3D, tf.Tensor4D];
      const bias = relativePositionBias(this.table.read() as unknown as tf.Tensor2D, this.window);
      return windowAttention(qkv, this.heads, bias, windowMask(map, this.window, this.shift));
    });
  }

  override computeOutputShape(shapes: Shape | Shape[]): Shape {
    const [windows, tokens, triple] = (shapes as [Shape, Shape])[0] as [Shape[0], number, number];
    return [windows, tokens, triple / 3];
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), heads: this.heads, window: this.window, shift: this.shift };
  }
}

tf.serialization.registerClass(WindowAttention, '@e3va/swin', WindowAttention.className);
