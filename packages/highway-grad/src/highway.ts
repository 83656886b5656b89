import * as tf from '@tensorflow/tfjs-core';
import { ShapeError } from './errors.ts';
import { geluDerivative, normalCdf } from './gelu.ts';

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
}

/** Width-m temporaries of one group of adapters stay below this; a stage is worked through group by group. */
const groupBytes = 2 * 2 ** 20;

/**
 * One stage of the gradient highway: `z + Σ E_i(u_i)` over the stage's taps u_i, where
 * `E(u) = u + up(gelu(down(u)))` and both projections are low-rank.
 *
 * The taps are constants: no gradient flows to them. The gradient with respect to `z` and the weights is
 * hand-written: between forward and backward only the taps and the weights are held, nothing of the hidden width m
 * and nothing of the rank; the backward pass computes it again. With `up.p` and `up.bias` zero the result is
 * `((z + u_1) + u_2) + …` bit for bit.
 *
 * Source: E³VA, arXiv 2306.09729 (the parallel adapters and their dual low-rank structure; the exact form is our
 * reading of it); form `pkq` is the synthesis of LoRand (Yin et al., CVPR 2023) with shared kernels.
 *
 * @param z The highway's stream, shape [..., C].
 * @param taps k tensors of the shape of `z`.
 * @param weights Form `pq` or `pkq`.
 * @param skip Whether an adapter adds its tap as well (E) or its change alone (E(u) - u).
 * @returns The shape of `z`.
 * @throws {@link ShapeError} if the taps and the weights do not fit each other.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { highwayStage } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const [k, C, m, r] = [2, 8, 4, 2];
 * const weights = {
 *   down: { q: tf.randomNormal<tf.Rank.R3>([k, C, r]), p: tf.randomNormal<tf.Rank.R3>([k, r, m]), bias: tf.zeros<tf.Rank.R2>([k, m]) },
 *   up: { q: tf.randomNormal<tf.Rank.R3>([k, m, r]), p: tf.zeros<tf.Rank.R3>([k, r, C]), bias: tf.zeros<tf.Rank.R2>([k, C]) },
 * };
 * const z = tf.randomNormal([1, 4, 4, C]);
 * const taps = [tf.randomNormal([1, 4, 4, C]), tf.randomNormal([1, 4, 4, C])];
 * console.log(highwayStage(z, taps, weights).shape); // [1, 4, 4, 8]
 * ```
 */
export function highwayStage<T extends tf.Tensor>(
  z: T,
  taps: tf.Tensor[],
  weights: PqWeights | PkqWeights,
  skip = true,
): T {
  if ('kernels' in weights) return tf.tidy(() => highwayStage(z, taps, synthesise(weights), skip));
  checkShapes(z, taps, weights);
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [z, ...w] = args as tf.Tensor[];
    save([...taps, ...w]);
    return {
      value: tf.tidy(() => forward(z!, taps, unflatten(w), skip)),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
        tf.tidy(() => {
          const w = unflatten(saved.slice(taps.length));
          return [tf.reshape(dy, dy.shape), ...backward(dy, saved.slice(0, taps.length), w)];
        }) as unknown as tf.Tensor,
    };
  });
  return op(z, ...flatten(weights)) as T;
}

/** The factors of form `pq`, of rank αβ, that give the same kernels as form `pkq`. On the tape. */
function synthesise({ down, up, kernels }: PkqWeights): PqWeights {
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
  return { down: project(down), up: project(up) };
}

/** z + Σ u_i + [G_1 q_1 … G_k q_k]·[p_1; …; p_k] + Σ bias: the sum over adapters is one matrix product a group. */
function forward(z: tf.Tensor, taps: tf.Tensor[], weights: PqWeights, skip: boolean): tf.Tensor {
  const channels = z.shape[z.rank - 1]!;
  const rows = taps.map((u) => tf.reshape(u, [-1, channels]) as tf.Tensor2D);
  let y = tf.reshape(z, [-1, channels]);
  const replace = (next: () => tf.Tensor) => {
    const last = y;
    y = tf.tidy(next);
    last.dispose();
  };
  if (skip) for (const u of rows) replace(() => tf.add(y, u));
  for (const group of groups(rows, weights)) {
    replace(() => {
      const { down, up } = group.weights;
      const a2 = tf.tidy(() => batched(activation(widened(reduced(group.taps, down), down)), up.q));
      // [g, n, r] -> [n, g, r] -> [n, gr]
      const joined = tf.reshape(tf.transpose(a2, [1, 0, 2]), [a2.shape[1]!, -1]);
      return tf.add(y, tf.add(tf.matMul(joined, tf.reshape(up.p, [-1, channels])), tf.sum(up.bias, 0)));
    });
  }
  return tf.reshape(y, z.shape);
}

/** The gradients of the six weight tensors, in the order of `flatten`; every adapter of the stage gets the same dy. */
function backward(dy: tf.Tensor, taps: tf.Tensor[], weights: PqWeights): tf.Tensor[] {
  const channels = dy.shape[dy.rank - 1]!;
  const d = tf.reshape(dy, [-1, channels]) as tf.Tensor2D;
  const rows = taps.map((u) => tf.reshape(u, [-1, channels]) as tf.Tensor2D);
  const parts = groups(rows, weights).map((group) => tf.tidy(() => groupGradients(group, d)));
  const grads = parts[0]!.map((_, i) =>
    parts.length > 1 ? tf.concat(parts.map((part) => part[i]!)) : parts[0]![i]!,
  );
  // every up bias is added to every row: the column sums of dy, for each adapter
  const bias = tf.broadcastTo(tf.expandDims(tf.sum(d, 0), 0), [taps.length, channels]);
  return [...grads, bias];
}

function groupGradients({ taps, weights }: Group, d: tf.Tensor2D): tf.Tensor[] {
  const { down, up } = weights;
  const channels = d.shape[1];
  const a1 = reduced(taps, down);
  const { activated, slope } = tf.tidy(() => {
    const h = widened(a1, down);
    const cdf = normalCdf(h);
    return { slope: geluDerivative(h, cdf) as tf.Tensor3D, activated: tf.mul(h, cdf) as tf.Tensor3D };
  });
  const [g, n, r] = [taps.length, d.shape[0], up.q.shape[2]];
  // up: a2 = activated·q, y = Σ a2·p. No product needs a large tensor transposed.
  const upP = tf.tidy(() =>
    tf.reshape(tf.matMul(tf.reshape(swap(batched(activated, up.q)), [g * r, n]), d), up.p.shape),
  );
  const dA2 = tf.tidy(() => {
    const joined = tf.matMul(d, tf.transpose(tf.reshape(up.p, [g * r, channels]))); // [n, gr]
    return tf.transpose(tf.reshape(joined, [n, g, r]), [1, 0, 2]);
  }) as tf.Tensor3D; // [g, n, r]
  const upQ = tf.tidy(() => swap(batched(swap(dA2), activated))); // ([g, r, n]·[g, n, m])ᵀ
  activated.dispose();
  const dH = tf.tidy(() => tf.mul(batched(dA2, swap(up.q)), slope)) as tf.Tensor3D;
  slope.dispose();
  // down: h = a1·p + bias, a1 = u·q
  const downP = batched(swap(a1), dH);
  const downBias = tf.sum(dH, 1);
  const dA1 = swap(batched(dH, swap(down.p))); // [g, r, n]
  dH.dispose();
  const perTap = tf.unstack(dA1).map((t, i) => tf.matMul(t as tf.Tensor2D, taps[i]!)); // [r, C]
  const downQ = swap(tf.stack(perTap) as tf.Tensor3D);
  return [downQ, downP, downBias, upQ, upP];
}

/** Some adapters of a stage: their taps as rows [n, C], and their share of the weights. */
interface Group {
  taps: tf.Tensor2D[];
  weights: PqWeights;
}

/** Cuts a stage into runs of adapters whose width-m temporaries stay below `groupBytes`. */
function groups(taps: tf.Tensor2D[], weights: PqWeights): Group[] {
  const width = weights.down.p.shape[2];
  const size = Math.max(1, Math.floor(groupBytes / (taps[0]!.shape[0] * width * 4)));
  if (size >= taps.length) return [{ taps, weights }];
  const out: Group[] = [];
  for (let at = 0; at < taps.length; at += size) {
    const count = Math.min(size, taps.length - at);
    const cut = <T extends tf.Tensor>(t: T) =>
      tf.slice(t, [at, ...t.shape.slice(1).fill(0)], [count, ...t.shape.slice(1)]) as T;
    const part = ({ q, p, bias }: LowRankWeights) => ({ q: cut(q), p: cut(p), bias: cut(bias) });
    out.push({
      taps: taps.slice(at, at + count),
      weights: { down: part(weights.down), up: part(weights.up) },
    });
  }
  return out;
}

/** Every tap times its first factor: [g, n, r]. */
function reduced(taps: tf.Tensor2D[], { q }: LowRankWeights): tf.Tensor3D {
  return tf.tidy(() => {
    const factors = tf.unstack(q) as tf.Tensor2D[];
    return tf.stack(taps.map((u, i) => tf.matMul(u, factors[i]!))) as tf.Tensor3D;
  });
}

/** From the rank to the hidden width, in front of the GELU: [g, n, m]. */
function widened(a1: tf.Tensor3D, { p, bias }: LowRankWeights): tf.Tensor3D {
  return tf.tidy(() => tf.add(batched(a1, p), tf.expandDims(bias, 1)));
}

const activation = (h: tf.Tensor3D): tf.Tensor3D => tf.mul(h, normalCdf(h));
const batched = (a: tf.Tensor3D, b: tf.Tensor3D): tf.Tensor3D => tf.matMul(a, b);
const swap = (x: tf.Tensor3D): tf.Tensor3D => tf.transpose(x, [0, 2, 1]);

const flatten = ({ down, up }: PqWeights): tf.Tensor[] => [down.q, down.p, down.bias, up.q, up.p, up.bias];

function unflatten(w: tf.Tensor[]): PqWeights {
  const part = (at: number) => ({
    q: w[at] as tf.Tensor3D,
    p: w[at + 1] as tf.Tensor3D,
    bias: w[at + 2] as tf.Tensor2D,
  });
  return { down: part(0), up: part(3) };
}

function checkShapes(z: tf.Tensor, taps: tf.Tensor[], weights: PqWeights): void {
  const { down, up } = weights;
  const channels = z.shape[z.rank - 1];
  const other = taps.find((u) => u.shape.join() !== z.shape.join());
  if (other) {
    throw new ShapeError({
      what: 'highwayStage: a tap differs in shape from the stream',
      expected: `[${z.shape}]`,
      received: `[${other.shape}]`,
      fix: 'only taps of one shape share a stage; put a transition between stages',
    });
  }
  const [k, , r] = down.q.shape;
  const m = down.p.shape[2];
  const wanted = [
    [taps.length, channels, r],
    [k, r, m],
    [k, m],
    [k, m, up.q.shape[2]],
    [k, up.q.shape[2], channels],
    [k, channels],
  ];
  const got = flatten(weights).map((t) => t.shape);
  if (JSON.stringify(wanted) !== JSON.stringify(got)) {
    throw new ShapeError({
      what: 'highwayStage: the weights do not fit the taps or each other',
      expected: `down.q, down.p, down.bias, up.q, up.p, up.bias of shapes ${JSON.stringify(wanted)}`,
      received: JSON.stringify(got),
    });
  }
}
