import * as tf from '@tensorflow/tfjs-core';
import { rowsOf } from './linear-map.ts';

/** The weights of {@link scaledNormProjection}. */
export interface ScaledNormWeights {
  /** Scale and offset of the normalisation, [C]. */
  gamma: tf.Tensor1D;
  beta: tf.Tensor1D;
  /** Factor of the normalised input, [C]. */
  scaleNorm: tf.Tensor1D;
  /** Factor of the input itself, [C]. */
  scaleInput: tf.Tensor1D;
  /** [C, width]. */
  kernel: tf.Tensor2D;
  /** [width]. */
  bias: tf.Tensor1D;
}

/**
 * `(scaleNorm ∘ layerNorm(x) + scaleInput ∘ x) · kernel + bias`, the way into Mona's adapter.
 *
 * The gradient is hand-written: between forward and backward only x is held.
 *
 * Source: Yin et al., arXiv 2408.08345, equation 3.
 *
 * @param x [..., C].
 * @returns [..., width].
 */
export function scaledNormProjection(x: tf.Tensor, weights: ScaledNormWeights, epsilon: number): tf.Tensor {
  const { gamma, beta, scaleNorm, scaleInput, kernel, bias } = weights;
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [x, ...w] = args as [tf.Tensor, ...tf.Tensor[]];
    save([x, ...w]);
    return {
      value: tf.tidy(() => {
        const y = tf.add(tf.matMul(mixed(rowsOf(x), w, epsilon).mix, w[4]!), w[5]!);
        return tf.reshape(y, [...x.shape.slice(0, -1), w[5]!.size]);
      }),
      gradFunc: (dy: tf.Tensor, [x, ...w]: tf.Tensor[]) =>
        tf.tidy(() => {
          const [dX, ...others] = backward(rowsOf(dy), rowsOf(x!), w, epsilon);
          return [tf.reshape(dX!, x!.shape), ...others];
        }) as unknown as tf.Tensor,
    };
  });
  return op(x, gamma, beta, scaleNorm, scaleInput, kernel, bias);
}

function standardised(x: tf.Tensor2D, epsilon: number): { unit: tf.Tensor2D; rstd: tf.Tensor } {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
  return { unit: tf.mul(centred, rstd), rstd };
}

/** scaleNorm ∘ layerNorm(x) + scaleInput ∘ x, and the pieces of it. */
function mixed(x: tf.Tensor2D, [gamma, beta, scaleNorm, scaleInput]: tf.Tensor[], epsilon: number) {
  const { unit, rstd } = standardised(x, epsilon);
  const normed = tf.add(tf.mul(unit, gamma!), beta!);
  const mix: tf.Tensor2D = tf.add(tf.mul(normed, scaleNorm!), tf.mul(x, scaleInput!));
  return { unit, rstd, normed, mix };
}

/** The gradients of x and of the weights in their order. */
function backward(dy: tf.Tensor2D, x: tf.Tensor2D, w: tf.Tensor[], epsilon: number): tf.Tensor[] {
  const [gamma, , scaleNorm, scaleInput, kernel] = w as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
    tf.Tensor2D,
  ];
  const { unit, rstd, normed, mix } = mixed(x, w, epsilon);
  const dKernel = tf.matMul(tf.transpose(mix), dy);
  const dMix = tf.matMul(dy, tf.transpose(kernel));
  const dNormed = tf.mul(dMix, scaleNorm);
  const dUnit = tf.mul(dNormed, gamma);
  const along = tf.mul(unit, tf.mean(tf.mul(dUnit, unit), -1, true));
  const throughNorm = tf.mul(tf.sub(tf.sub(dUnit, tf.mean(dUnit, -1, true)), along), rstd);
  return [
    tf.add(throughNorm, tf.mul(dMix, scaleInput)),
    tf.sum(tf.mul(dNormed, unit), 0),
    tf.sum(dNormed, 0),
    tf.sum(tf.mul(dMix, normed), 0),
    tf.sum(tf.mul(dMix, x), 0),
    dKernel,
    tf.sum(dy, 0),
  ];
}
