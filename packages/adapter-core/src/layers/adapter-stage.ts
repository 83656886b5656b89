import type { PkqWeights, PqWeights } from '@e3va/highway-grad';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { type Initializer, orthogonalRegularizer, type Regularizer, svdFactors } from '../factor-init.ts';
import { uniform } from './uniform.ts';

/** Configuration of a {@link HighwayStage}. */
export interface HighwayStageConfig {
  name?: string;
  trainable?: boolean;
  /** `pq`: kernels of rank `rank`; `pkq`: sums of `alpha` synthesised kernels of size `beta`. */
  form: 'pq' | 'pkq';
  rank: number;
  alpha: number;
  beta: number;
  /**
   * `zero`: the last factor starts at zero, so that a fresh stage adds the taps alone; `svd`: so too, and the other
   * factors come from singular value decompositions; `kaiming`: no zero.
   */
  init: 'zero' | 'kaiming' | 'svd';
  /** Whether the adapters add their taps as well. */
  skip: boolean;
  /** Whether the first input is the stream; if not, the stream starts at zero. */
  stream: boolean;
  /** Seed of the initial weights. */
  seed: number;
  /** `depthwise3x3`: depthwise 3×3 filters on the hidden map, in front of the GELU; zero at the start. */
  mixing?: 'none' | 'depthwise3x3';
  /** Weight of the loss that keeps the first factors' columns orthonormal; 0 by default. */
  orthogonal?: number;
  /** `int8` or `int16`: the taps come packed, each as words and scales. */
  savedTaps?: 'fp32' | 'int16' | 'int8';
  /** Whether gradients flow to the taps; false by default. */
  tapGradients?: boolean;
}

/** A layer that holds the weights of a stage's k adapters, stacked along a first axis. */
export abstract class AdapterStage extends layers.Layer {
  protected readonly config: HighwayStageConfig;
  private factors: Record<string, LayerVariable> = {};

  constructor(config: HighwayStageConfig) {
    super(config as unknown as ConstructorParameters<typeof layers.Layer>[0]);
    this.config = config;
  }

  /** Makes the weights of `count` adapters on C channels. */
  protected addFactors(count: number, channels: number): void {
    const hidden = Math.max(1, Math.floor(channels / 2));
    const down = this.addProjection('down', count, channels, hidden, 0, false);
    this.addProjection('up', count, hidden, channels, 10, this.config.init !== 'kaiming');
    const { form, alpha, beta, seed, init, mixing } = this.config;
    if (form === 'pkq') {
      const start = init === 'svd' ? down.s : uniform(beta, seed + 20);
      this.addFactor('kernels', [count, alpha, beta, beta], start);
    }
    if (mixing === 'depthwise3x3') this.addFactor('mixing', [count, 3, 3, hidden], initializers.zeros());
  }

  private addProjection(
    name: string,
    k: number,
    from: number,
    to: number,
    salt: number,
    zero: boolean,
  ): ReturnType<typeof svdFactors> {
    const { form, rank, alpha, beta, seed, init, orthogonal = 0 } = this.config;
    const [inner, group] = form === 'pq' ? [rank, []] : [beta, [alpha]];
    const svd = svdFactors(k * (group[0] ?? 1), from, to, inner, seed + salt);
    const first = init === 'svd' ? svd.q : uniform(from, seed + salt);
    this.addFactor(`${name}_q`, [k, ...group, from, inner], first, orthogonalRegularizer(orthogonal));
    const drawn = init === 'svd' ? (form === 'pq' ? svd.p : svd.vt) : uniform(inner, seed + salt + 1);
    this.addFactor(`${name}_p`, [k, ...group, inner, to], zero ? initializers.zeros() : drawn);
    this.addFactor(`${name}_bias`, [k, to], initializers.zeros());
    return svd;
  }

  private addFactor(name: string, shape: Shape, start: Initializer, regularizer?: Regularizer): void {
    this.factors[name] = this.addWeight(name, shape, 'float32', start, regularizer);
  }

  /** The adapters' weights; on the tape. */
  protected stageWeights(): PqWeights | PkqWeights {
    const read = (name: string) => this.factors[name]!.read();
    const part = (name: string) => ({
      q: read(`${name}_q`),
      p: read(`${name}_p`),
      bias: read(`${name}_bias`),
    });
    const { form, mixing } = this.config;
    return {
      ...{ down: part('down'), up: part('up') },
      ...(form === 'pkq' && { kernels: read('kernels') }),
      ...(mixing === 'depthwise3x3' && { mixing: read('mixing') }),
    } as PqWeights | PkqWeights;
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}
