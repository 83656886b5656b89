import * as tf from '@tensorflow/tfjs-core';
import type { initializers, regularizers } from '@tensorflow/tfjs-layers';
import { uniform } from './layers/uniform.ts';
import { leadingSvd } from './low-rank-svd.ts';

/** An initialiser of tfjs-layers. */
export type Initializer = ReturnType<typeof initializers.zeros>;
/** A regulariser of tfjs-layers. */
export type Regularizer = ReturnType<typeof regularizers.l2>;

/**
 * The factors of low-rank kernels from the singular value decomposition of matrices drawn as by {@link uniform}:
 * q = U with orthonormal columns, s, and vᵀ = Vᵀ with orthonormal rows. Ranks beyond the smaller size of the matrix
 * get drawn entries in q and zeros in s and vᵀ, so that they can learn.
 *
 * Ours; the idea is from CoLin (arXiv 2602.10513).
 *
 * @param count Number of kernels.
 * @returns Initialisers of shapes [..., from, rank], [..., rank, rank] (diagonal), [..., rank, to] and, of that
 * shape, diag(s)·vᵀ; leading axes multiply to `count`.
 */
export function svdFactors(count: number, from: number, to: number, rank: number, seed: number) {
  const make = once(() => {
    const kernels = draw([count, from, to], from, seed);
    const rest = draw([count, from, rank], from, seed + 1);
    const inner = Math.min(rank, from, to);
    return Array.from({ length: count }, (_, k) => ({
      ...leadingSvd(kernels.subarray(k * from * to, (k + 1) * from * to), from, to, inner),
      rest: rest.subarray(k * from * rank, (k + 1) * from * rank),
    }));
  });
  const inner = Math.min(rank, from, to);
  type Part = ReturnType<typeof make>[number];
  const filled = (height: number, width: number, value: (part: Part, i: number, j: number) => number) =>
    initializer((size) =>
      Float32Array.from({ length: size }, (_, at) => {
        const within = at % (height * width);
        const part = make()[Math.floor(at / (height * width))]!;
        return value(part, Math.floor(within / width), within % width);
      }),
    );
  const vt = ({ v }: Part, i: number, j: number) => (i < inner ? v[j * inner + i]! : 0);
  const scaled = (part: Part, i: number, j: number) => (i < inner ? part.s[i]! * vt(part, i, j) : 0);
  return {
    q: filled(from, rank, ({ u, rest }, i, j) => (j < inner ? u[i * inner + j]! : rest[i * rank + j]!)),
    s: filled(rank, rank, ({ s }, i, j) => (i === j && i < inner ? s[i]! : 0)),
    vt: filled(rank, to, vt),
    p: filled(rank, to, scaled),
  };
}

function draw(shape: number[], fanIn: number, seed: number): Float32Array {
  const drawn = uniform(fanIn, seed).apply(shape, 'float32');
  // not from within a tidy, which would look at every number that is returned
  const values = drawn.dataSync<'float32'>().slice();
  drawn.dispose();
  return values;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** An initialiser from a function of the number of entries. */
function initializer(values: (size: number) => Float32Array): Initializer {
  return {
    apply: (shape: number[]) => tf.tensor(values(tf.util.sizeFromShape(shape)), shape),
    fromConfigUsesCustomObjects: () => false,
    getConfig: () => ({}),
    getClassName: () => 'E3vaFactors',
  } as unknown as Initializer;
}

/**
 * `weight` times the sum over all factors q of ‖qᵀq - I‖², the squared Frobenius norm; on the tape.
 *
 * Ours; the idea is from CoLin (arXiv 2602.10513).
 *
 * @param q Factors, [..., in, rank].
 */
function orthogonalLoss(q: tf.Tensor, weight: number): tf.Scalar {
  return tf.tidy(() => {
    const [from, rank] = q.shape.slice(-2) as [number, number];
    const factors = tf.reshape(q, [-1, from, rank]) as tf.Tensor3D;
    const gram = tf.matMul(tf.transpose(factors, [0, 2, 1]), factors);
    return tf.mul(tf.sum(tf.square(tf.sub(gram, tf.eye(rank)))), weight) as tf.Scalar;
  });
}

/** `weight` times Σ ‖qᵀq - I‖² as a regulariser of tfjs-layers; undefined for weight 0. */
export function orthogonalRegularizer(weight: number): Regularizer | undefined {
  if (weight === 0) return undefined;
  const apply = (q: tf.Tensor) => orthogonalLoss(q, weight);
  return {
    apply,
    getConfig: () => ({ weight }),
    getClassName: () => 'E3vaOrthogonal',
  } as unknown as Regularizer;
}
