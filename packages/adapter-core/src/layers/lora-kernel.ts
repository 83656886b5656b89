import { offTape } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { rowsOf } from './linear-map.ts';

/** Outputs that several projections share: `parts` of one size side by side, of which `on` have a low-rank part. */
export type LoraFused = {
  /** How many projections stand side by side on the last axis. */
  parts: number;
  /** Which of them LoRA stands on, ascending from 0. */
  on: readonly number[];
};

/** What LoRA does to a kernel, in numbers. */
export interface LoraChange {
  rank: number;
  /** Factor of A B. */
  scale: number;
  fused: LoraFused;
}

/** One tensor for each part: those of the parts that LoRA stands on, and something else for the others. */
export function eachPart<T>({ parts, on }: LoraFused, given: T[], other: () => T): T[] {
  return Array.from({ length: parts }, (_, i) => {
    const at = on.indexOf(i);
    return at < 0 ? other() : given[at]!;
  });
}

/** The entries of the first axis. On the tape `tf.unstack` fails for a single one. */
export function entries(x: tf.Tensor): tf.Tensor[] {
  return x.shape[0] === 1 ? [tf.reshape(x, x.shape.slice(1))] : tf.unstack(x);
}

/**
 * The change of a kernel, s · A B in each part that LoRA stands on and zero elsewhere.
 *
 * @param a One matrix for each of these parts, of any shape with [parts on, in, r] elements in this order.
 * @param b The same with [parts on, r, size].
 * @param shape Shape of the kernel, [..., out].
 */
export function kernelChange(
  a: tf.Tensor,
  b: tf.Tensor,
  shape: number[],
  { rank, scale, fused }: LoraChange,
): tf.Tensor {
  return tf.tidy(() => {
    const left = tf.reshape(a, [fused.on.length, -1, rank]) as tf.Tensor3D;
    const right = tf.reshape(b, [fused.on.length, rank, -1]) as tf.Tensor3D;
    const each = entries(tf.mul(tf.matMul(left, right), scale)) as tf.Tensor2D[];
    return tf.reshape(
      tf.concat(
        eachPart(fused, each, () => tf.zerosLike(each[0]!)),
        1,
      ),
      shape,
    );
  });
}

/**
 * The norm of each output's changed kernel in the parts that LoRA stands on, as a constant: [parts on, size].
 *
 * @param kernel [..., out].
 */
export function outputNorms(kernel: tf.Tensor, a: tf.Tensor, b: tf.Tensor, change: LoraChange): tf.Tensor2D {
  const { parts, on } = change.fused;
  return offTape([kernel, a, b], (kernel, a, b) => {
    const rows = rowsOf(tf.add(kernel!, kernelChange(a!, b!, kernel!.shape, change)));
    const norms = tf.unstack(tf.reshape(tf.sqrt(tf.sum(tf.square(rows), 0)), [parts, -1]));
    return tf.stack(on.map((i) => norms[i]!));
  }) as tf.Tensor2D;
}

/**
 * DoRA: what each output is multiplied by, magnitude / norm where LoRA stands and one elsewhere; [out].
 *
 * @param magnitude [parts on, size] in any shape; on the tape.
 * @param norms [parts on, size].
 */
export function outputGate(magnitude: tf.Tensor, norms: tf.Tensor2D, fused: LoraFused): tf.Tensor1D {
  return tf.tidy(() => {
    // an output without any weight stays without
    const ratio = tf.div(tf.reshape(magnitude, norms.shape), tf.maximum(norms, 1e-30));
    const each = entries(ratio) as tf.Tensor1D[];
    const all = eachPart(fused, each, () => tf.ones([norms.shape[1]]) as tf.Tensor1D);
    return all.length === 1 ? all[0]! : tf.concat(all);
  });
}
