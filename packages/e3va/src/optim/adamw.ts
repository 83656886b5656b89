import { overwrite } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { Chunks } from './chunks.ts';
import { isDecayed } from './decay.ts';

/** Options of {@link AdamW}. */
export interface AdamWOptions {
  /** Base learning rate. */
  learningRate?: number;
  /** Decay of the first moment. */
  beta1?: number;
  /** Decay of the second moment. */
  beta2?: number;
  /** Added to the root of the second moment. */
  epsilon?: number;
  /** Decoupled weight decay, a fraction of the weight for a learning rate of 1. */
  weightDecay?: number;
  /** Largest global norm of all gradients together; larger ones are scaled down. */
  clipNorm?: number;
  /** Whether a variable of this name is decayed. Default: {@link isDecayed}. */
  decays?: (name: string) => boolean;
  /** Factor of the learning rate for a variable of this name. Default: 1. */
  rateOf?: (name: string) => number;
}

/** A tensor and its name, as tfjs's optimisers save their state. */
export interface NamedTensor {
  name: string;
  tensor: tf.Tensor;
}

interface Moments {
  m: tf.Variable;
  v: tf.Variable;
}

interface Layout {
  names: string[];
  variables: tf.Variable[];
  chunks: Chunks;
  moments: Moments[];
  /** Per chunk: learning-rate factor, and that factor times the weight decay. */
  rate: (number | tf.Tensor)[];
  shrink: (number | tf.Tensor)[];
}

/**
 * Adam with decoupled weight decay, equal to `torch.optim.AdamW`, for `compile` or for gradients of `tf.variableGrads`.
 *
 * All small variables are updated together as one vector (about twelve operations whatever their number), large ones one
 * by one, so that its scratch memory is that of the largest. A variable without a gradient is left alone. Gradient clipping
 * equals `torch.nn.utils.clip_grad_norm_`.
 *
 * Source: Loshchilov and Hutter, arXiv 1711.05101.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { AdamW } from 'e3va';
 *
 * await tf.setBackend('cpu');
 * const w = tf.variable(tf.tensor1d([1, -2]));
 * const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0 });
 * optimizer.minimize(() => tf.sum(tf.square(w)) as tf.Scalar);
 * console.log(w.dataSync()); // [0.9, -1.9]
 * ```
 */
export class AdamW extends tf.Optimizer {
  /** Name under which tfjs serialises it. */
  static readonly className = 'E3vaAdamW';
  /** Base learning rate of the next step; a schedule may set it before each. */
  learningRate: number;
  private readonly beta1: number;
  private readonly beta2: number;
  private readonly epsilon: number;
  private readonly weightDecay: number;
  private readonly clipNorm: number | undefined;
  private readonly decays: (name: string) => boolean;
  private readonly rateOf: (name: string) => number;
  private layout: Layout | undefined;
  private loaded: Map<string, tf.Tensor> | undefined;

  constructor(options: AdamWOptions = {}) {
    super();
    this.learningRate = options.learningRate ?? 1e-3;
    this.beta1 = options.beta1 ?? 0.9;
    this.beta2 = options.beta2 ?? 0.999;
    this.epsilon = options.epsilon ?? 1e-8;
    this.weightDecay = options.weightDecay ?? 0.01;
    this.clipNorm = options.clipNorm;
    this.decays = options.decays ?? isDecayed;
    this.rateOf = options.rateOf ?? (() => 1);
  }

  /** Name under which tfjs serialises it. */
  override getClassName(): string {
    return AdamW.className;
  }

  /**
   * Makes one update.
   *
   * @param gradients By variable name, as `tf.variableGrads` returns them, or as a list. They are not disposed of.
   */
  override applyGradients(gradients: tf.NamedTensorMap | NamedTensor[]): void {
    const all = Array.isArray(gradients)
      ? gradients
      : Object.entries(gradients).map(([name, tensor]) => ({ name, tensor }));
    const present = all.filter(({ tensor }) => tensor != null);
    if (present.length === 0) return;
    const layout = this.layoutFor(present.map(({ name }) => name));
    const tensors = present.map(({ tensor }) => tensor);
    this.incrementIterations();
    const scale = this.clipNorm === undefined ? undefined : clipScale(layout.chunks, tensors, this.clipNorm);
    for (let c = 0; c < layout.moments.length; c++) this.updateChunk(layout, c, tensors, scale);
    scale?.dispose();
  }

  private updateChunk(layout: Layout, c: number, gradients: tf.Tensor[], scale: tf.Tensor | undefined): void {
    const { m, v } = layout.moments[c]!;
    const stepSize = this.learningRate / (1 - this.beta1 ** this.iterations);
    const root2 = Math.sqrt(1 - this.beta2 ** this.iterations);
    tf.tidy(() => {
      const packed = layout.chunks.pack(c, gradients);
      const g = scale ? tf.mul(packed, scale) : packed;
      overwrite(m, tf.add(tf.mul(m, this.beta1), tf.mul(g, 1 - this.beta1)));
      overwrite(v, tf.add(tf.mul(v, this.beta2), tf.mul(tf.square(g), 1 - this.beta2)));
      const direction = tf.div(m, tf.add(tf.div(tf.sqrt(v), root2), this.epsilon));
      const change = times(tf.mul(direction, stepSize), layout.rate[c]!);
      const p = layout.chunks.pack(c, layout.variables);
      const decayed = tf.sub(p, times(tf.mul(p, this.learningRate), layout.shrink[c]!));
      for (const { index, tensor } of layout.chunks.unpack(c, tf.sub(decayed, change))) {
        layout.variables[index]!.assign(tensor);
      }
    });
  }

  private layoutFor(names: string[]): Layout {
    const old = this.layout;
    if (old && old.names.length === names.length && old.names.every((n, i) => n === names[i])) return old;
    const known = this.takeMoments();
    const variables = names.map((name) => tf.engine().registeredVariables[name]!);
    const chunks = new Chunks(variables.map((v) => v.shape));
    const moment = (c: number, kind: 'm' | 'v') =>
      tf.tidy(() => {
        const parts = variables.map((x, i) => known.get(`${names[i]}/${kind}`) ?? tf.zerosLike(x));
        return tf.variable(chunks.pack(c, parts), false);
      });
    this.layout = {
      names,
      variables,
      chunks,
      moments: chunks.sizes.map((_, c) => ({ m: moment(c, 'm'), v: moment(c, 'v') })),
      ...this.factors(names, chunks, variables),
    };
    for (const [key, tensor] of known) {
      if (names.includes(key.slice(0, -2))) {
        tensor.dispose();
        known.delete(key);
      }
    }
    // moments of variables that had no gradient this time wait for their next one
    this.loaded = known;
    return this.layout;
  }

  private factors(
    names: string[],
    chunks: Chunks,
    variables: tf.Variable[],
  ): Pick<Layout, 'rate' | 'shrink'> {
    const perElement = (factor: (name: string) => number) =>
      chunks.members.map((indices) => {
        const values = indices.map((i) => factor(names[i]!));
        if (values.every((value) => value === values[0])) return values[0]!;
        const parts = indices.map((i, k) => new Float32Array(variables[i]!.size).fill(values[k]!));
        return tf.keep(tf.tidy(() => tf.concat1d(parts.map((part) => tf.tensor1d(part)))));
      });
    return {
      rate: perElement(this.rateOf),
      shrink: perElement((name) => (this.decays(name) ? this.rateOf(name) * this.weightDecay : 0)),
    };
  }

  /** All moments by variable, taken out of the layout, which is disposed of. */
  private takeMoments(): Map<string, tf.Tensor> {
    const all = this.loaded ?? new Map<string, tf.Tensor>();
    for (const { key, tensor } of this.momentTensors()) all.set(key, tensor);
    this.disposeLayout();
    this.loaded = undefined;
    return all;
  }

  private momentTensors(): { key: string; tensor: tf.Tensor }[] {
    const layout = this.layout;
    if (!layout) return [];
    return layout.moments.flatMap((pair, c) =>
      (['m', 'v'] as const).flatMap((kind) => {
        const parts = tf.tidy(() =>
          layout.chunks
            .unpack(c, pair[kind])
            .map((part) => ({ ...part, tensor: tf.keep(tf.clone(part.tensor)) })),
        );
        return parts.map(({ index, tensor }) => ({ key: `${layout.names[index]}/${kind}`, tensor }));
      }),
    );
  }

  /**
   * The state: `iter`, and for each variable `NAME/m` and `NAME/v` in its shape. The caller disposes of the tensors.
   */
  override async getWeights(): Promise<NamedTensor[]> {
    const moments = this.momentTensors().map(({ key, tensor }) => ({ name: key, tensor }));
    const waiting = [...(this.loaded ?? [])].map(([name, t]) => ({ name, tensor: tf.clone(t) }));
    const iter = { name: 'iter', tensor: tf.scalar(this.iterations, 'int32') };
    return [iter, ...moments, ...waiting];
  }

  /** Restores what {@link AdamW.getWeights} returned; the tensors are copied. */
  override async setWeights(weights: NamedTensor[]): Promise<void> {
    for (const tensor of this.takeMoments().values()) tensor.dispose();
    const iter = weights.find(({ name }) => name === 'iter');
    this.iterations_ = iter ? ((await iter.tensor.data())[0] ?? 0) : 0;
    this.loaded = new Map(
      weights
        .filter(({ name }) => name !== 'iter')
        .map(({ name, tensor }) => [name, tf.keep(tf.clone(tensor))]),
    );
  }

  /** Frees the moments. */
  override dispose(): void {
    for (const tensor of this.loaded?.values() ?? []) tensor.dispose();
    this.loaded = undefined;
    this.disposeLayout();
  }

  private disposeLayout(): void {
    const layout = this.layout;
    if (!layout) return;
    for (const { m, v } of layout.moments) tf.dispose([m, v]);
    for (const factor of [...layout.rate, ...layout.shrink]) if (typeof factor !== 'number') factor.dispose();
    this.layout = undefined;
  }

  /** The numbers of its configuration. */
  override getConfig(): tf.serialization.ConfigDict {
    const { learningRate, beta1, beta2, epsilon, weightDecay } = this;
    return { learningRate, beta1, beta2, epsilon, weightDecay, clipNorm: this.clipNorm ?? null };
  }

  /** Makes an optimiser from {@link AdamW.getConfig}; tfjs calls it when it loads a compiled model. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { clipNorm, ...rest } = config as { clipNorm: number | null };
    return new cls(clipNorm === null ? rest : { ...rest, clipNorm });
  }
}

tf.serialization.registerClass(AdamW as unknown as tf.serialization.SerializableConstructor<AdamW>);

function times(x: tf.Tensor, factor: number | tf.Tensor): tf.Tensor {
  return factor === 1 ? x : tf.mul(x, factor);
}

/** min(1, limit / (norm + 1e-6)) for the norm of all gradients together. */
function clipScale(chunks: Chunks, gradients: tf.Tensor[], limit: number): tf.Tensor {
  return tf.tidy(() => {
    const squares = chunks.sizes.map((_, c) => tf.tidy(() => tf.sum(tf.square(chunks.pack(c, gradients)))));
    const norm = tf.sqrt(tf.addN(squares));
    return tf.minimum(tf.div(limit, tf.add(norm, 1e-6)), 1);
  });
}
