import { highwayStage, type PkqWeights, type PqWeights } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';

/** Configuration of a {@link HighwayStage}. */
export interface HighwayStageConfig {
  name?: string;
  trainable?: boolean;
  /** `pq`: kernels of rank `rank`; `pkq`: sums of `alpha` synthesised kernels of size `beta`. */
  form: 'pq' | 'pkq';
  rank: number;
  alpha: number;
  beta: number;
  /** `zero`: the last factor starts at zero, so that a fresh stage adds the taps alone; `kaiming`: no zero. */
  init: 'zero' | 'kaiming';
  /** Whether the adapters add their taps as well. */
  skip: boolean;
  /** Whether the first input is the stream; if not, the stream starts at zero. */
  stream: boolean;
  /** Seed of the initial weights. */
  seed: number;
}

/**
 * One stage of the gradient highway as a layer: inputs z (if `stream`) and the stage's taps, all of shape
 * [batch, ..., C]; output z + Σ E_i(u_i). The weights of the stage's k adapters are stacked along a first axis.
 */
export class HighwayStage extends layers.Layer {
  static className = 'E3vaHighwayStage';
  private readonly config: HighwayStageConfig;
  private factors: Record<string, LayerVariable> = {};

  constructor(config: HighwayStageConfig) {
    super(config as unknown as ConstructorParameters<typeof layers.Layer>[0]);
    this.config = config;
  }

  override build(inputShape: Shape | Shape[]): void {
    const shapes = (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as Shape[];
    const count = shapes.length - (this.config.stream ? 1 : 0);
    const channels = shapes[0]!.at(-1) as number;
    const hidden = Math.max(1, Math.floor(channels / 2));
    this.addProjection('down', count, channels, hidden, 0, false);
    this.addProjection('up', count, hidden, channels, 10, this.config.init === 'zero');
    if (this.config.form === 'pkq') {
      const { alpha, beta } = this.config;
      this.addFactor('kernels', [count, alpha, beta, beta], uniform(beta, this.config.seed + 20));
    }
    super.build(inputShape);
  }

  private addProjection(
    name: string,
    k: number,
    from: number,
    to: number,
    salt: number,
    zero: boolean,
  ): void {
    const { form, rank, alpha, beta, seed } = this.config;
    const [inner, group] = form === 'pq' ? [rank, []] : [beta, [alpha]];
    this.addFactor(`${name}_q`, [k, ...group, from, inner], uniform(from, seed + salt));
    const last = zero ? initializers.zeros() : uniform(inner, seed + salt + 1);
    this.addFactor(`${name}_p`, [k, ...group, inner, to], last);
    this.addFactor(`${name}_bias`, [k, to], initializers.zeros());
  }

  private addFactor(name: string, shape: Shape, initializer: ReturnType<typeof initializers.zeros>): void {
    this.factors[name] = this.addWeight(name, shape, 'float32', initializer);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const list = [inputs].flat();
    return tf.tidy(() => {
      const [z, ...taps] = this.config.stream ? list : [tf.zerosLike(list[0]!), ...list];
      return highwayStage(z!, taps, this.stageWeights(), { skip: this.config.skip });
    });
  }

  private stageWeights(): PqWeights | PkqWeights {
    const read = (name: string) => this.factors[name]!.read();
    const part = (name: string) => ({
      q: read(`${name}_q`),
      p: read(`${name}_p`),
      bias: read(`${name}_bias`),
    });
    const parts = { down: part('down'), up: part('up') };
    return (this.config.form === 'pq' ? parts : { ...parts, kernels: read('kernels') }) as
      | PqWeights
      | PkqWeights;
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

/** Uniform in ±1/√fanIn: Kaiming's with a = √5, the default of PyTorch's linear layers. */
function uniform(fanIn: number, seed: number) {
  const bound = 1 / Math.sqrt(fanIn);
  return initializers.randomUniform({ minval: -bound, maxval: bound, seed });
}

tf.serialization.registerClass(HighwayStage, '@e3va', HighwayStage.className);
