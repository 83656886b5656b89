import * as tf from '@tensorflow/tfjs-core';
import {
  type AdapterGroup,
  type GroupGradients,
  groupChange,
  groupGradients,
  groupSize,
} from './adapter-group.ts';
import { ShapeError } from './errors.ts';
import {
  checkWeights,
  cutWeights,
  flatten,
  type PkqWeights,
  type PqWeights,
  synthesise,
  unflatten,
} from './highway-weights.ts';
import type { PackedTap } from './packed-tap.ts';
import { packedTaps, type TapSource, tapsAsTheyAre } from './tap-source.ts';

/** Options of {@link highwayStage}. */
export interface HighwayStageOptions {
  /** Whether an adapter adds its tap as well (E, the default) or its change alone (E(u) - u). */
  skip?: boolean;
  /**
   * Σ u_i in the shape of `z`, added instead of the taps themselves where these are not exact. A constant; not held
   * for the backward pass.
   */
  sum?: tf.Tensor;
  /** Whether gradients flow to the taps; they must be tensors then. False by default. */
  tapGradients?: boolean;
}

/**
 * One stage of the gradient highway: `z + Σ E_i(u_i)` over the stage's taps u_i, where
 * `E(u) = u + up(gelu(down(u)))` and both projections are low-rank.
 *
 * The taps are constants: no gradient flows to them, unless asked for. The gradient with respect to `z` and the
 * weights is hand-written: between forward and backward only the taps, or what their source needs to make them once
 * more, and the weights are held, nothing of the hidden width m and nothing of the rank; the backward pass computes
 * it again. With `up.p` and `up.bias` zero the result is `((z + u_1) + u_2) + …` bit for bit.
 *
 * Source: E³VA, arXiv 2306.09729 (the parallel adapters and their dual low-rank structure; the exact form is our
 * reading of it); form `pkq` is the synthesis of LoRand (Yin et al., CVPR 2023) with shared kernels. Packed taps, taps
 * from a source, mixing and gradients to the taps are ours.
 *
 * @param z The highway's stream, shape [..., C].
 * @param taps k tensors of the shape of `z`, or k packed taps, or a source of k taps.
 * @param weights Form `pq` or `pkq`.
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
  taps: tf.Tensor[] | PackedTap[] | TapSource,
  weights: PqWeights | PkqWeights,
  options: HighwayStageOptions = {},
): T {
  if ('kernels' in weights) return tf.tidy(() => highwayStage(z, taps, synthesise(weights), options));
  const source = sourceOf(z, taps);
  checkWeights(z, source.count, weights);
  const { saved } = source;
  const live = options.tapGradients ? saved : [];
  const op = tf.customGrad((...args) => {
    const save = args.pop() as unknown as tf.GradSaveFunc;
    const [z, ...rest] = args as tf.Tensor[];
    const w = rest.slice(live.length);
    save([...saved, ...w]);
    return {
      value: tf.tidy(() => forward(z!, source, unflatten(w), options)),
      gradFunc: (dy: tf.Tensor, held: tf.Tensor[]) =>
        tf.tidy(() => {
          const w = unflatten(held.slice(saved.length));
          return [tf.reshape(dy, dy.shape), ...backward(dy, source, held.slice(0, saved.length), w, options)];
        }) as unknown as tf.Tensor,
    };
  });
  return op(z, ...live, ...flatten(weights)) as T;
}

function sourceOf(z: tf.Tensor, taps: tf.Tensor[] | PackedTap[] | TapSource): TapSource {
  if (!Array.isArray(taps)) return taps;
  const shapes = taps.map((u) =>
    u instanceof tf.Tensor ? u.shape : [...u.codes.shape.slice(0, -1), u.channels],
  );
  const other = shapes.find((shape) => shape.join() !== z.shape.join());
  if (other) {
    throw new ShapeError({
      what: 'highwayStage: a tap differs in shape from the stream',
      expected: `[${z.shape}]`,
      received: `[${other}]`,
      fix: 'only taps of one shape share a stage; put a transition between stages',
    });
  }
  return taps[0] instanceof tf.Tensor ? tapsAsTheyAre(taps as tf.Tensor[]) : packedTaps(taps as PackedTap[]);
}

/** Hands the adapters with their taps to `use`, group by group; what `use` makes and wants to keep it has to keep. */
function eachGroup(
  like: tf.Tensor,
  source: TapSource,
  saved: tf.Tensor[],
  weights: PqWeights,
  use: (group: AdapterGroup, at: number) => void,
): void {
  const channels = like.shape[like.rank - 1]!;
  const size = groupSize(like.size / channels, weights.down.p.shape[2]);
  source.each(saved, Math.min(size, source.count), (at, taps) =>
    tf.tidy(() =>
      use(
        {
          taps: taps.map((u) => tf.reshape(u, [-1, channels]) as tf.Tensor2D),
          weights: cutWeights(weights, at, taps.length),
          map: like.shape.slice(0, 3) as [number, number, number],
        },
        at,
      ),
    ),
  );
}

function forward(
  z: tf.Tensor,
  source: TapSource,
  weights: PqWeights,
  { skip = true, sum }: HighwayStageOptions,
): tf.Tensor {
  const channels = z.shape[z.rank - 1]!;
  // kept: a source may hand its taps out from within scopes of its own
  let y = tf.keep(tf.tidy(() => tf.reshape(sum ? tf.add(z, sum) : z, [-1, channels])));
  const add = (x: tf.Tensor) => {
    const last = y;
    y = tf.keep(tf.add(last, x));
    last.dispose();
  };
  try {
    eachGroup(z, source, source.saved, weights, (group) => {
      if (skip && !sum) group.taps.forEach(add);
      add(groupChange(group));
    });
    return tf.reshape(y, z.shape);
  } finally {
    y.dispose();
  }
}

/** The gradients of the taps, if asked for, and of the weights in the order of `flatten`; every adapter gets the same dy. */
function backward(
  dy: tf.Tensor,
  source: TapSource,
  saved: tf.Tensor[],
  weights: PqWeights,
  { skip = true, tapGradients = false }: HighwayStageOptions,
): tf.Tensor[] {
  const channels = dy.shape[dy.rank - 1]!;
  const d = tf.reshape(dy, [-1, channels]) as tf.Tensor2D;
  const parts: GroupGradients[] = [];
  eachGroup(dy, source, saved, weights, (group) => {
    const part = tf.tidy(() => groupGradients(group, d, tapGradients) as unknown as tf.TensorContainerObject);
    parts.push(part as unknown as GroupGradients);
    for (const t of tensorsOf(parts.at(-1)!)) tf.keep(t);
  });
  const joined = (of: (part: GroupGradients) => tf.Tensor[]) =>
    of(parts[0]!).map((_, i) => tf.concat(parts.map((part) => of(part)[i]!)));
  // every up bias is added to every row: the column sums of dy, for each adapter
  const bias = tf.broadcastTo(tf.expandDims(tf.sum(d, 0), 0), [source.count, channels]);
  const taps = parts
    .flatMap((part) => part.taps)
    .map((t) => tf.tidy(() => tf.reshape(skip ? tf.add(t, d) : t, dy.shape)));
  const out = [...taps, ...joined((part) => part.weights), bias, ...joined((part) => part.mixing)];
  tf.dispose(parts.flatMap(tensorsOf));
  return out;
}

const tensorsOf = ({ weights, mixing, taps }: GroupGradients): tf.Tensor[] => [
  ...weights,
  ...mixing,
  ...taps,
];
