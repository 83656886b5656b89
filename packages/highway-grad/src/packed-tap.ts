import * as tf from '@tensorflow/tfjs-core';
import { limits, packRows, type RowLayout, unpackRows } from './kernels/pack-rows.ts';
import { runPrivate } from './kernels/private.ts';

/** A tap in 8 or 16 bits a number; made by {@link packTap}. */
export interface PackedTap {
  /** int32, the tap's shape with the packed words in place of the channels. */
  codes: tf.Tensor;
  /** float32, the tap's shape with the groups in place of the channels: what code 1 stands for. */
  scales: tf.Tensor;
  /** Bits of a code. */
  bits: 8 | 16;
  /** Channels of the tap. */
  channels: number;
}

/** Channels that share a scale, about. */
const groupSize = 32;

/** Channels of one group, codes in one word, and their numbers for a tap. */
export function packedLayout(channels: number, bits: 8 | 16, wordBits = bitsOfWord()): RowLayout {
  const perWord = Math.floor(wordBits / bits);
  const groups = Math.max(1, Math.round(channels / groupSize));
  const words = Math.ceil(channels / groups / perWord);
  return { channels, groups, words, perWord, bits };
}

/** WebGL holds an int32 as a float32, exact to 24 bits. */
const bitsOfWord = () => (tf.getBackend() === 'webgl' ? 24 : 32);

/**
 * A tap in 8 or 16 bits a number: the channels of a token in equal groups of about 32, each with one float32 scale
 * (its largest magnitude is the largest code). Off the tape.
 *
 * A tap of 96 channels takes 0.28 of its float32 bytes with 8 bits, 0.53 with 16; on WebGL, whose words have 24 bits, 0.38 and 1.03.
 * An entry is off by at most half a scale: 1/254 (8 bits) or 1/65,278 (16 bits) of its group's largest magnitude.
 * Sixteen bits with a shared scale are closer than IEEE half precision, which has eleven significant bits.
 *
 * tfjs has no tensors of 8 or 16 bits: the codes are digits, positive and negative, of an int32 to the base 2^bits.
 *
 * @param x The tap, shape [..., C], float32.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { packTap, unpackTap } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const packed = packTap(tf.randomNormal([1, 8, 8, 96]), 8);
 * console.log(packed.codes.shape, packed.scales.shape); // [1, 8, 8, 24] and [1, 8, 8, 3]
 * console.log(unpackTap(packed).shape); // [1, 8, 8, 96]
 * ```
 */
export function packTap(x: tf.Tensor, bits: 8 | 16): PackedTap {
  const channels = x.shape[x.rank - 1]!;
  const layout = packedLayout(channels, bits);
  const outer = x.shape.slice(0, -1);
  const shapes = {
    codes: [...outer, layout.groups * layout.words],
    scales: [...outer, layout.groups],
  };
  const [codes, scales] = pack(x, layout, shapes);
  return { codes, scales, bits, channels };
}

/** The tap of {@link packTap}, as float32. Off the tape. */
export function unpackTap({ codes, scales, bits, channels }: PackedTap): tf.Tensor {
  const layout = packedLayout(channels, bits);
  const shape = [...codes.shape.slice(0, -1), channels];
  const own = runPrivate('E3vaUnpackTap', { codes, scales }, { layout, shape });
  if (own) return own;
  if (!readsAtOnce.has(tf.getBackend())) return unpackByArithmetic(codes, scales, layout, shape);
  const out = new Float32Array(tf.util.sizeFromShape(shape));
  unpackRows(codes.dataSync<'int32'>(), scales.dataSync<'float32'>(), layout, out);
  return tf.tensor(out, shape);
}

/** Backends whose data lie in the processor's memory. */
const readsAtOnce = new Set(['cpu', 'wasm', 'tensorflow']);

interface PackedShapes {
  codes: number[];
  scales: number[];
}

function pack(x: tf.Tensor, layout: RowLayout, shapes: PackedShapes): [tf.Tensor, tf.Tensor] {
  const own = runPrivate('E3vaPackTap', { x }, { layout, shapes });
  if (own) return own as unknown as [tf.Tensor, tf.Tensor];
  if (!readsAtOnce.has(tf.getBackend())) return packByArithmetic(x, layout, shapes);
  const codes = new Int32Array(tf.util.sizeFromShape(shapes.codes));
  const scales = new Float32Array(tf.util.sizeFromShape(shapes.scales));
  packRows(x.dataSync<'float32'>(), layout, codes, scales);
  return [tf.tensor(codes, shapes.codes, 'int32'), tf.tensor(scales, shapes.scales)];
}

/** The same in operations of tfjs, for backends whose data are far away. */
export function packByArithmetic(
  x: tf.Tensor,
  { channels, groups, words, perWord, bits }: RowLayout,
  shapes: PackedShapes,
): [tf.Tensor, tf.Tensor] {
  return tf.tidy(() => {
    const limit = limits[bits];
    const rows = tf.reshape(x, [-1, channels]) as tf.Tensor2D;
    const padded = tf.pad(rows, [
      [0, 0],
      [0, groups * words * perWord - channels],
    ]);
    const grouped = tf.reshape(padded, [-1, words * perWord]);
    const largest = tf.max(tf.abs(grouped), 1, true);
    const factor = tf.div(limit, tf.maximum(largest, 1e-30));
    const digits = tf.split(tf.cast(tf.round(tf.mul(grouped, factor)), 'int32'), perWord, 1);
    const word = digits.reduce((sum, digit, d) =>
      tf.add(sum, tf.mul(digit, tf.scalar(2 ** (bits * d), 'int32'))),
    );
    return [tf.reshape(word, shapes.codes), tf.reshape(tf.div(largest, limit), shapes.scales)];
  });
}

/** The same in operations of tfjs, for backends whose data are far away. */
export function unpackByArithmetic(
  codes: tf.Tensor,
  scales: tf.Tensor,
  { channels, groups, words, perWord, bits }: RowLayout,
  shape: number[],
): tf.Tensor {
  return tf.tidy(() => {
    let rest = tf.reshape(codes, [-1, words]);
    const digits: tf.Tensor[] = [];
    // from the top: what lies below the digit is less than half of it, also after rounding to float32
    for (let d = perWord - 1; d > 0; d--) {
      const digit = tf.round(tf.mul(tf.cast(rest, 'float32'), 2 ** -(bits * d)));
      rest = tf.sub(rest, tf.mul(tf.cast(digit, 'int32'), tf.scalar(2 ** (bits * d), 'int32')));
      digits.unshift(digit);
    }
    const whole = tf.concat([tf.cast(rest, 'float32'), ...digits], 1);
    const scaled = tf.mul(whole, tf.reshape(scales, [-1, 1]));
    const rows = tf.reshape(scaled, [-1, groups * words * perWord]) as tf.Tensor2D;
    return tf.reshape(tf.slice(rows, [0, 0], [-1, channels]), shape);
  });
}
