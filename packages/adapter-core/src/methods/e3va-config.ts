import type { HighwayStageConfig } from '../layers/highway-stage.ts';
import type { LayerPattern } from '../taps.ts';

/** Options of e3va. */
export interface E3vaOptions {
  /**
   * Which layers are taps: a pattern of names, names, or a predicate. The default, `/\.(attn|mlp)$/`, is the paper's
   * choice for Swin: the result of each attention and of each MLP, before it is added to the stream. Where it matches
   * nothing, the taps and the transition that `suggestTaps` proposes are taken.
   */
  taps?: LayerPattern;
  /**
   * How the highway passes from one stage to the next. `inherit` (the paper's form) runs the base's own layers, frozen:
   * every tap must be added to a residual stream, as in Swin or a ViT. `pool-project` (ours) pools the change made so
   * far and projects it; it fits any model whose taps are maps, and a classifier's layers behind its last map are taken
   * over. `auto` (default): `inherit` where it fits.
   */
  transition?: 'auto' | 'inherit' | 'pool-project';
  /** `pq` (default): low-rank kernels of rank `rank`. `pkq`: LoRand's synthesis, sums of `alpha` kernels of size `beta`. */
  form?: 'pq' | 'pkq';
  /** Rank of form `pq` and of the projections of `pool-project`; 16 by default. */
  rank?: number;
  /** Number of synthesised kernels in form `pkq`; 2 by default. */
  alpha?: number;
  /** Size of the shared kernels in form `pkq`; 8 by default. */
  beta?: number;
  /**
   * Layers of the base behind the taps whose own weights are trained as well, such as a classifier's last layer (PEFT's
   * `modules_to_save`); moving statistics are not. None by default. The base itself keeps its weights.
   */
  alsoTrain?: LayerPattern;
  /** Indices of the base's outputs that make the pyramid; all by default. */
  levels?: number[];
  /** Whether the normalisation in front of each output is trained (the paper's form, the default) or stays as it is. */
  outNorms?: 'trainable' | 'frozen';
  /**
   * `zero` (default): a fresh highway gives the base's own pyramid. `kaiming`: no factor starts at zero. `svd` (ours, after
   * CoLin): as `zero`, and the other factors come from singular value decompositions of drawn matrices, which take two
   * seconds for Swin-T.
   */
  init?: 'zero' | 'kaiming' | 'svd';
  /**
   * Weight of a loss `Σ ‖qᵀq − I‖²` that keeps the columns of the first factors orthonormal (ours, after CoLin); 0 by default. `fit` and
   * `trainStep` add it by themselves; a loop of your own adds the sum of `adapted.highway.calculateLosses()`.
   */
  orthogonal?: number;
  /**
   * `depthwise3x3` (ours, after Mona): depthwise 3×3 filters on the hidden map of each adapter, in front of the GELU; the taps
   * must be maps. `none` by default.
   */
  mixing?: 'none' | 'depthwise3x3';
  /**
   * What is held of the taps between forward and backward (ours). `fp32` (default): all. `int16` and `int8`: packed as they are made,
   * half and a quarter of the bytes; the highway's stream stays exact. `recompute`: nothing but what a stage starts from; the base runs
   * once more in the backward pass. Other than `fp32` with transition `inherit` only. A loop of your own that calls
   * `adapted.taps` disposes of them right behind `adapted.pyramid`: the tape has its own hold on what it needs, and the exact
   * sums of packed taps are not needed any more.
   */
  savedTaps?: 'fp32' | 'int16' | 'int8' | 'recompute';
  /**
   * How many of the last taps are made on the highway: their branches read its stream, so that the base's last blocks see
   * adapted features, and the gradient goes through them (ours, after DTL). 0 by default. With transition `inherit` only.
   */
  feedback?: number;
  /** Seed of the initial weights; 0 by default. */
  seed?: number;
}

/** The options of e3va with their defaults, except the taps. */
export type E3vaConfig = Required<Omit<E3vaOptions, 'taps' | 'levels' | 'alsoTrain'>> &
  Pick<E3vaOptions, 'levels' | 'alsoTrain'>;

/** The layer configuration of one stage of the highway. */
export function stageConfig(config: E3vaConfig, name: string, index: number): HighwayStageConfig {
  const { form, rank, alpha, beta, init, seed, transition, mixing, orthogonal } = config;
  // stages draw from seeds far apart: a stage uses a few dozen
  const stageSeed = seed * 100_003 + index * 101;
  return {
    name,
    form,
    rank,
    alpha,
    beta,
    init,
    seed: stageSeed,
    skip: transition !== 'pool-project',
    stream: true,
    mixing,
    orthogonal,
  };
}
