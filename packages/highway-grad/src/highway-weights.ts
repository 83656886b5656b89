import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from './errors.ts';

/**
 * Both projections of a stage's k adapters in form `pq`: the kernel of adapter i is `q[i] · p[i]`, to be multiplied
 * from the right. In the paper's notation W = P Q, `q` and `p` are the transposes of Q and P.
 */
export interface LowRankWeights {
  /** From the input to the rank, shape [k, in, r]. */
  q: tf.Tensor3D;
  /** From the rank to the output, shape [k, r, out]. */
  p: tf.Tensor3D;
  /** Shape [k, out]. */
  bias: tf.Tensor2D;
}

/** The weights of one stage's k adapters in form `pq`: two low-rank projections each, C → m → C. */
export interface PqWeights {
  /** C → m. */
  down: LowRankWeights;
  /** m → C. */
  up: LowRankWeights;
  /**
   * Depthwise 3×3 filters on the hidden map h in front of the GELU, h + filter ∗ h with zeros around the map; shape
   * [k, 3, 3, m]. For taps [batch, height, width, C]. Ours: the idea is Mona's (arXiv 2408.08345).
   */
  mixing?: tf.Tensor4D;
}

/** One projection of form `pkq`: the kernel of adapter i is the sum over a of `q[i, a] · kernels[i, a] · p[i, a]`. */
export interface SynthesisedWeights {
  /** Shape [k, α, in, β]. */
  q: tf.Tensor4D;
  /** Shape [k, α, β, out]. */
  p: tf.Tensor4D;
  /** Shape [k, out]. */
  bias: tf.Tensor2D;
}

/** The weights of one stage's k adapters in form `pkq`, with kernels shared by the down and the up projection. */
export interface PkqWeights {
  down: SynthesisedWeights;
  up: SynthesisedWeights;
  /** Shape [k, α, β, β]; the transposes of the paper's K. */
  kernels: tf.Tensor4D;
  /** As in {@link PqWeights}. */
  mixing?: tf.Tensor4D;
}

/** The factors of form `pq`, of rank αβ, that give the same kernels as form `pkq`. On the tape. */
export function synthesise({ down, up, kernels, mixing }: PkqWeights): PqWeights {
  const [k, alpha, beta] = kernels.shape;
  const project = ({ q, p, bias }: SynthesisedWeights): LowRankWeights => {
    const out = p.shape[3];
    const kp = tf.matMul(tf.reshape(kernels, [k * alpha, beta, beta]), tf.reshape(p, [k * alpha, beta, out]));
    return {
      // [k, α, in, β] -> [k, in, α, β] -> [k, in, αβ]
      q: tf.reshape(tf.transpose(q, [0, 2, 1, 3]), [k, q.shape[2], alpha * beta]),
      p: tf.reshape(kp, [k, alpha * beta, out]),
      bias,
    };
  };
  return { down: project(down), up: project(up), ...(mixing && { mixing }) };
}

/** The weights in a list: down.q, down.p, down.bias, up.q, up.p, up.bias and, where there is one, mixing. */
export const flatten = ({ down, up, mixing }: PqWeights): tf.Tensor[] => [
  ...[down.q, down.p, down.bias, up.q, up.p, up.bias],
  ...(mixing ? [mixing] : []),
];

/** The weights of {@link flatten}'s list. */
export function unflatten(w: tf.Tensor[]): PqWeights {
  const part = (at: number) => ({
    q: w[at] as tf.Tensor3D,
    p: w[at + 1] as tf.Tensor3D,
    bias: w[at + 2] as tf.Tensor2D,
  });
  return { down: part(0), up: part(3), ...(w[6] && { mixing: w[6] as tf.Tensor4D }) };
}

/** The weights of some neighbouring adapters. */
export function cutWeights(weights: PqWeights, at: number, count: number): PqWeights {
  if (count === weights.down.q.shape[0]) return weights;
  return unflatten(
    flatten(weights).map((t) => tf.slice(t, [at, ...t.shape.slice(1).fill(0)], [count, ...t.shape.slice(1)])),
  );
}

/**
 * Whether the weights fit k taps of the stream's shape, and each other.
 *
 * @throws {@link ShapeError} if they do not.
 */
export function checkWeights(z: tf.Tensor, taps: number, weights: PqWeights): void {
  const { down, up, mixing } = weights;
  const channels = z.shape[z.rank - 1];
  if (mixing && z.rank !== 4) {
    throw new ShapeError({
      what: 'highwayStage: mixing needs maps',
      expected: 'a stream of shape [batch, height, width, channels]',
      received: `[${z.shape}]`,
      fix: 'leave mixing out, or give the tokens as a map',
    });
  }
  const [k, , r] = down.q.shape;
  const m = down.p.shape[2];
  const wanted = [
    [taps, channels, r],
    [k, r, m],
    [k, m],
    [k, m, up.q.shape[2]],
    [k, up.q.shape[2], channels],
    [k, channels],
    ...(mixing ? [[k, 3, 3, m]] : []),
  ];
  const got = flatten(weights).map((t) => t.shape);
  if (JSON.stringify(wanted) === JSON.stringify(got)) return;
  throw new ShapeError({
    what: 'highwayStage: the weights do not fit the taps or each other',
    expected: `down.q, down.p, down.bias, up.q, up.p, up.bias${mixing ? ', mixing' : ''} of shapes ${JSON.stringify(wanted)}`,
    received: JSON.stringify(got),
  });
}
