import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from './errors.ts';
import { offTape } from './off-tape.ts';

/**
 * Layer normalisation over the last axis, `(x - mean) / sqrt(variance + epsilon) * gamma + beta`, with a
 * hand-written gradient that keeps the normalised input and one number a row.
 *
 * Source: Ba et al., arXiv 1607.06450; equal to `torch.nn.functional.layer_norm` over the last axis.
 *
 * @param x Shape [..., C].
 * @param gamma Scale, shape [C].
 * @param beta Offset, shape [C].
 * @param epsilon Added to the variance.
 * @returns The shape of `x`.
 * @throws {@link ShapeError} if `gamma` or `beta` is not of shape [C].
 */
export function layerNorm<T extends tf.Tensor>(x: T, gamma: tf.Tensor, beta: tf.Tensor, epsilon = 1e-5): T {
  checkChannels('layerNorm', x, gamma, beta);
  return affine(x, gamma, beta, -1, (rows) => {
    const centred = tf.sub(rows, tf.mean(rows, -1, true));
    const rstd = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon));
    return [tf.mul(centred, rstd), rstd];
  });
}

/** The result of {@link batchNormTraining}. */
export interface BatchNormResult<T extends tf.Tensor> {
  /** The normalised, scaled and shifted input; differentiable. */
  y: T;
  /** Mean of each channel, shape [C]; off the tape. */
  mean: tf.Tensor1D;
  /** Biased variance of each channel, shape [C]; off the tape. */
  variance: tf.Tensor1D;
}

/**
 * Batch normalisation with the statistics of the batch, over all axes but the last, with a hand-written gradient
 * that keeps the normalised input and one number a channel.
 *
 * Source: Ioffe and Szegedy, arXiv 1502.03167; `y` equals `torch.nn.functional.batch_norm(training=True)`.
 *
 * @param x Shape [..., C], for instance [batch, height, width, C].
 * @param gamma Scale, shape [C].
 * @param beta Offset, shape [C].
 * @param epsilon Added to the variance.
 * @returns `y` of the shape of `x`, and the statistics for running averages.
 * @throws {@link ShapeError} if `gamma` or `beta` is not of shape [C].
 */
export function batchNormTraining<T extends tf.Tensor>(
  x: T,
  gamma: tf.Tensor,
  beta: tf.Tensor,
  epsilon = 1e-5,
): BatchNormResult<T> {
  const channels = checkChannels('batchNormTraining', x, gamma, beta);
  const [mean, variance] = offTape(x, (x) => {
    const rows = tf.reshape(x, [-1, channels]);
    const mean = tf.mean(rows, 0);
    return [mean, tf.mean(tf.square(tf.sub(rows, mean)), 0)];
  }) as [tf.Tensor1D, tf.Tensor1D];
  const y = affine(x, gamma, beta, 0, (rows) => {
    const rstd = tf.rsqrt(tf.add(variance, epsilon));
    return [tf.mul(tf.sub(rows, mean), rstd), rstd];
  });
  return { y, mean, variance };
}

/**
 * Standardises the rows [n, C] of `x` over `axis`, then scales and shifts; the gradient keeps what `standardise`
 * returns: the standardised rows, and one over their deviation.
 */
function affine<T extends tf.Tensor>(
  x: T,
  gamma: tf.Tensor,
  beta: tf.Tensor,
  axis: number,
  standardise: (rows: tf.Tensor) => [normalised: tf.Tensor, rstd: tf.Tensor],
): T {
  const { shape } = x;
  const rowsOf = (t: tf.Tensor) => tf.reshape(t, [-1, gamma.size]);
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [x, gamma, beta] = args as tf.Tensor[];
    const [y, normalised, rstd] = tf.tidy(() => {
      const [normalised, rstd] = standardise(rowsOf(x!));
      return [tf.reshape(tf.add(tf.mul(normalised, gamma!), beta!), shape), normalised, rstd];
    }) as [tf.Tensor, tf.Tensor, tf.Tensor];
    save([normalised, rstd, gamma!]);
    return {
      value: y,
      gradFunc: (dy: tf.Tensor, [normalised, rstd, gamma]: tf.Tensor[]) =>
        tf.tidy(() => {
          const d = rowsOf(dy);
          return [
            tf.reshape(normalisedGradient(tf.mul(d, gamma!), normalised!, rstd!, axis), shape),
            tf.sum(tf.mul(d, normalised!), 0),
            tf.sum(d, 0),
          ];
        }) as unknown as tf.Tensor,
    };
  });
  return op(x, gamma, beta) as T;
}

/** Gradient of the standardisation of [rows, channels] over `axis`, for an upstream gradient `d` of x̂. */
function normalisedGradient(d: tf.Tensor, normalised: tf.Tensor, rstd: tf.Tensor, axis: number): tf.Tensor {
  const along = tf.mul(normalised, tf.mean(tf.mul(d, normalised), axis, true));
  return tf.mul(tf.sub(tf.sub(d, tf.mean(d, axis, true)), along), rstd);
}

function checkChannels(op: string, x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor): number {
  const channels = x.shape[x.shape.length - 1] ?? 0;
  if (gamma.size !== channels || beta.size !== channels || gamma.rank !== 1 || beta.rank !== 1) {
    throw new ShapeError({
      what: `${op}: scale and offset must have one number a channel`,
      expected: `gamma [${channels}], beta [${channels}] for an input of shape [${x.shape}]`,
      received: `gamma [${gamma.shape}], beta [${beta.shape}]`,
    });
  }
  return channels;
}
