import { E3vaError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import {
  buildCopy,
  copyLayer,
  type Layer,
  layerFromJson,
  layerToJson,
  weightName,
  wrapperConfig,
} from '../copy-layer.ts';
import type { MergeableLayer } from '../methods/method.ts';
import { MethodLayerError } from '../methods/options.ts';
import { type Affine, activate, affineOf } from './affine.ts';
import {
  entries,
  kernelChange,
  type LoraChange,
  type LoraFused,
  outputGate,
  outputNorms,
} from './lora-kernel.ts';
import { type LoraFactors, loraAffine } from './lora-op.ts';

/** A layer was used in a way that goes only with its change not merged. */
export class MergeStateError extends E3vaError {}

/** Configuration of a {@link LoraLayer}. */
export interface LoraLayerConfig {
  name?: string;
  trainable?: boolean;
  /** The layer inside; it is copied, with its weights if it has some. */
  layer: Layer;
  rank: number;
  alpha: number;
  /** Share of the low-rank part's input that is dropped in training. */
  dropout: number;
  /** Whether the scale is alpha / √rank instead of alpha / rank. */
  rslora: boolean;
  /** Whether the size of each output's kernel is trained apart from its direction. */
  dora: boolean;
  /** How A is drawn: `kaiming`, uniform in ±1/√fanIn; `gaussian`, normal with deviation 1 / rank. B is zero. */
  init: 'kaiming' | 'gaussian';
  /** Seed of the initial weights. */
  seed: number;
  /** For several projections in one layer; one by default. */
  fused?: LoraFused;
}

/**
 * A dense layer or convolution of a base model with LoRA on it: `activation(x W + b + s · (x A) B)` with W and b
 * frozen, and with DoRA `activation(b + m ∘ V / |V| )`, V = x W + s · (x A) B with the norm of each output's kernel.
 *
 * Weights: `lora_A` [in, r] or, for a convolution, [kh, kw, in, r]; `lora_B` [r, out]; `lora_magnitude` [out]. With
 * several projections in one layer all of them have a first axis, one entry for each projection that LoRA stands on.
 *
 * Source: Hu et al., arXiv 2106.09685; rsLoRA arXiv 2312.03732; DoRA arXiv 2402.09353; numbers as in PEFT.
 */
export class LoraLayer extends layers.Layer implements MergeableLayer {
  static className = 'E3vaLora';
  /** The copy inside. */
  readonly layer: Layer;
  private readonly config: Omit<LoraLayerConfig, 'layer' | 'name' | 'trainable'>;
  private readonly source: Layer;
  private affine!: Affine;
  private kernel!: LayerVariable;
  private a!: LayerVariable;
  private b!: LayerVariable;
  private magnitude: LayerVariable | undefined;
  /** While merged: the merged kernel, and of which factors it was made. */
  private folded: { kernel: tf.Tensor; of: object[] } | undefined;

  constructor({ name, trainable = true, layer, ...config }: LoraLayerConfig) {
    super(wrapperConfig(layer, { name: name ?? layer.name, trainable }));
    if (!affineOf(layer)) throw unsuitable(layer);
    this.layer = copyLayer(layer, this.name);
    this.source = layer;
    this.config = config;
    this.supportsMasking = layer.supportsMasking;
  }

  override build(inputShape: Shape | Shape[]): void {
    buildCopy(this.layer, this.source, inputShape);
    this.affine = affineOf(this.layer) ?? fail(unsuitable(this.layer));
    this.kernel = this.layer.weights.find((w) => weightName(this, w) === 'kernel')!;
    this.addFactors();
    super.build(inputShape);
  }

  private addFactors(): void {
    const { rank, init, seed } = this.config;
    const [inShape, outputs] = [this.kernel.shape.slice(0, -1) as number[], this.kernel.shape.at(-1)!];
    const { parts, on } = this.change.fused;
    if (outputs % parts !== 0) {
      throw new MethodLayerError({
        what: `lora: the ${outputs} outputs of layer '${this.name}' are not ${parts} projections of one size`,
        fix: 'pass fused: false, or the number of projections that the layer holds',
      });
    }
    const group = this.config.fused ? [on.length] : [];
    const size = outputs / parts;
    const bound = 1 / Math.sqrt(inShape.reduce((product, n) => product * n, 1));
    const start =
      init === 'gaussian'
        ? initializers.randomNormal({ stddev: 1 / rank, seed })
        : initializers.randomUniform({ minval: -bound, maxval: bound, seed });
    this.a = this.addWeight('lora_A', [...group, ...inShape, rank], 'float32', start);
    this.b = this.addWeight('lora_B', [...group, rank, size], 'float32', initializers.zeros());
    if (!this.config.dora) return;
    this.magnitude = this.addWeight('lora_magnitude', [...group, size], 'float32', initializers.ones());
    const norms = this.norms();
    this.magnitude.write(tf.tidy(() => tf.reshape(norms, [...group, size])));
  }

  private get change(): LoraChange {
    const { alpha, rank, rslora, fused = { parts: 1, on: [0] } } = this.config;
    return { rank, scale: alpha / (rslora ? Math.sqrt(rank) : rank), fused };
  }

  private get factorWeights(): LayerVariable[] {
    return [this.a, this.b, this.magnitude].filter((w) => w !== undefined);
  }

  override get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.factorWeights : [];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    return this.trainable ? this.layer.weights : [...this.factorWeights, ...this.layer.weights];
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override computeMask(inputs: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]) {
    return this.layer.computeMask(inputs, mask);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean } = {}): tf.Tensor {
    const { training } = kwargs;
    const [x] = [inputs].flat() as [tf.Tensor];
    if (this.merged && training) {
      throw new MergeStateError({
        what: `lora: layer '${this.name}' cannot be trained while it is merged`,
        fix: 'unmerge first: set merged to false',
      });
    }
    return tf.tidy(() => {
      const y = this.merged ? this.mergedProduct(x) : this.product(x, training === true);
      return activate(this.affine.activation, y);
    });
  }

  private get bias(): tf.Tensor | undefined {
    return this.layer.weights.find((w) => weightName(this, w) === 'bias')?.read();
  }

  private product(x: tf.Tensor, training: boolean): tf.Tensor {
    const { dropout } = this.config;
    const frozen = { map: this.affine.map, kernel: this.kernel.read(), bias: this.bias };
    const mask = training && dropout > 0 ? tf.dropout(tf.ones(x.shape), dropout) : undefined;
    return loraAffine(x, frozen, this.factors(), { ...this.change, mask });
  }

  /** The factors as the operation takes them; on the tape. */
  private factors(): LoraFactors {
    const [a, b] = [this.a.read(), this.b.read()];
    const { rank, fused } = this.config;
    const factors = {
      // [parts, ..., r] to [..., parts · r]
      a: fused ? tf.concat(entries(a), a.rank - 2) : a,
      b: tf.reshape(b, [this.change.fused.on.length, rank, -1]) as tf.Tensor3D,
    };
    return this.magnitude ? { ...factors, gate: this.gate(this.magnitude) } : factors;
  }

  private gate(magnitude: LayerVariable): tf.Tensor1D {
    return outputGate(magnitude.read(), this.norms(), this.change.fused);
  }

  private norms(): tf.Tensor2D {
    return outputNorms(this.kernel.read(), this.a.read(), this.b.read(), this.change);
  }

  mergedWeights(): tf.Tensor[] {
    return this.layer.weights.map((w) => (w === this.kernel ? this.mergedKernel() : tf.clone(w.read())));
  }

  private mergedKernel(): tf.Tensor {
    return tf.tidy(() => {
      const kernel = this.kernel.read();
      const change = kernelChange(this.a.read(), this.b.read(), kernel.shape, this.change);
      const changed = tf.add(kernel, change);
      return this.magnitude ? tf.mul(changed, this.gate(this.magnitude)) : changed;
    });
  }

  private mergedProduct(x: tf.Tensor): tf.Tensor {
    // weights that were set after merging: fold them in anew
    const { of } = this.folded!;
    if (this.buffers().some((buffer, i) => buffer !== of[i])) this.fold();
    return this.affine.map.apply(x, this.folded!.kernel, this.bias);
  }

  get merged(): boolean {
    return this.folded !== undefined;
  }

  /** The merged kernel stands beside the base layer's own, whose bits never change. */
  set merged(merged: boolean) {
    if (merged && !this.folded) this.fold();
    if (merged) return;
    this.folded?.kernel.dispose();
    this.folded = undefined;
  }

  private fold(): void {
    this.folded?.kernel.dispose();
    this.folded = { kernel: tf.keep(this.mergedKernel()), of: this.buffers() };
  }

  /** What holds the values that the merged kernel is made of: other objects after every write. */
  private buffers(): object[] {
    return [this.kernel, ...this.factorWeights].map((w) => w.read().dataId);
  }

  override dispose() {
    this.merged = false;
    return super.dispose();
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { fused, ...numbers } = this.config;
    return {
      ...super.getConfig(),
      ...numbers,
      name: this.name,
      layer: layerToJson(this.layer),
      ...(fused && { fused: { parts: fused.parts, on: [...fused.on] } }),
    };
  }

  /** Makes the layer, and the one inside, from its configuration. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const layer = layerFromJson(config.layer as tf.serialization.ConfigDict);
    return new cls({ ...config, layer } as never);
  }
}

function fail(error: Error): never {
  throw error;
}

function unsuitable(layer: Layer): MethodLayerError {
  const weights = layer.weights.map((w) => `${weightName(layer, w)} [${w.shape.join(', ')}]`);
  return new MethodLayerError({
    what: `lora cannot stand on layer '${layer.name}' (${layer.getClassName()})`,
    expected:
      'a Dense, a Conv2D with channels last, or a layer with the property affine: true whose weights are kernel [in, out] and at most bias [out]',
    received:
      weights.length > 0 ? `a layer with the weights ${weights.join(', ')}` : 'a layer without such weights',
    fix: 'choose other layers with the option targets',
  });
}

tf.serialization.registerClass(LoraLayer, '@e3va', LoraLayer.className);
