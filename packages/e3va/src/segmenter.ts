import { createHash } from 'node:crypto';
import { type Adapted, adapt, e3va, frozen, full, type Method } from '@e3va/adapter-core';
import {
  argmaxLabels,
  fcnHead,
  segmentationLoss,
  slideInference,
  uperNet,
  wholeInference,
} from '@e3va/seg-heads';
import { loadSwin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import type { Recipe } from './recipe/schema.ts';

/** The parts of a recipe that a model is made from. */
export type ModelRecipe = Pick<Recipe, 'backbone' | 'method' | 'head' | 'eval'> & {
  train: Pick<Recipe['train'], 'seed'>;
};

/** What a model must know of the data. */
export interface ClassInfo {
  /** Name of each class, by class index. */
  classes: readonly string[];
  /** Label of the pixels that do not count. */
  ignoreIndex: number;
}

/** A weight of the model under a name that is the same in every process. */
export interface NamedWeight {
  /** `adapter/…`, `head/…` or `aux/…`, then layer and weight. */
  key: string;
  part: 'adapter' | 'head' | 'aux';
  variable: LayerVariable;
}

/**
 * An adapted backbone with its segmentation head: images in, logits, labels or a loss out.
 *
 * @example
 * ```ts
 * import { parseRecipe, Segmenter, useBackend } from 'e3va';
 *
 * await useBackend('wasm');
 * const segmenter = await Segmenter.create(parseRecipe(''), { classes: ['sky', 'road'], ignoreIndex: 255 });
 * console.log(segmenter.adapted.levels.map((level) => level.stride)); // [4, 8, 16, 32]
 * ```
 */
export class Segmenter {
  private constructor(
    /** The backbone with its method. */
    readonly adapted: Adapted,
    /** The segmentation head. */
    readonly head: LayersModel,
    /** The auxiliary head, for training only; undefined without one. */
    readonly aux: LayersModel | undefined,
    /** Identifies the backbone's weights as they were loaded. */
    readonly backboneId: string,
    private readonly recipe: ModelRecipe,
    private readonly data: ClassInfo,
  ) {}

  /**
   * Loads the backbone, adapts it, and puts a fresh head on it. The seed of the recipe decides the initial weights.
   *
   * @param base A backbone to use in place of the recipe's.
   */
  static async create(recipe: ModelRecipe, data: ClassInfo, base?: LayersModel): Promise<Segmenter> {
    const backbone = base ?? (await loadSwin(recipe.backbone.name));
    const id = await backboneIdOf(backbone);
    const { seed } = recipe.train;
    const { head } = recipe;
    const classes = data.classes.length;
    const adapted = adapt(backbone, methodOf(recipe.method, seed));
    const { levels } = adapted;
    const upernet = uperNet({
      levels,
      classes,
      seed,
      channels: head.channels,
      poolScales: head.poolScales,
      dropout: head.dropout,
    });
    const aux =
      head.aux &&
      fcnHead({
        level: levels[Math.min(head.aux.level, levels.length - 1)]!,
        classes,
        channels: head.aux.channels,
        convs: head.aux.convs,
        dropout: head.dropout,
        seed: seed + 1,
      });
    return new Segmenter(adapted, upernet, aux, id, recipe, data);
  }

  /** Number of classes. */
  get classes(): number {
    return this.data.classes.length;
  }

  /**
   * The training loss: cross-entropy of the logits at label size, plus the weighted one of the auxiliary head. Call it within
   * `tf.variableGrads`, with taps that were computed outside: then nothing of the frozen half is on the tape.
   *
   * @param taps What `adapted.taps(images)` gave.
   * @param labels int32 [batch, height, width].
   */
  loss(taps: tf.Tensor[], labels: tf.Tensor3D): tf.Scalar {
    return tf.tidy(() => {
      const training = { training: true };
      const levels = this.adapted.pyramid(taps, training);
      const logits = this.head.apply(levels, training) as tf.Tensor4D;
      const { aux } = this.recipe.head;
      const options = { ignoreIndex: this.data.ignoreIndex, ...(aux && { auxWeight: aux.weight }) };
      if (!this.aux || !aux) return segmentationLoss({ logits }, labels, options);
      const level = levels[Math.min(aux.level, levels.length - 1)]!;
      const auxLogits = this.aux.apply(level, training) as tf.Tensor4D;
      return segmentationLoss({ logits, auxLogits }, labels, options);
    });
  }

  /**
   * Logits at the size of the images, whole or by a sliding window as the recipe says.
   *
   * @param images Normalised, [batch, height, width, 3].
   * @returns [batch, height, width, classes].
   */
  logits(images: tf.Tensor4D): tf.Tensor4D {
    const predict = (x: tf.Tensor4D) => this.head.apply(this.adapted.apply(x)) as tf.Tensor4D;
    const { mode, crop, stride } = this.recipe.eval;
    return mode === 'slide'
      ? slideInference(images, predict, { crop, stride })
      : wholeInference(images, predict);
  }

  /**
   * The class of each pixel.
   *
   * @param images Normalised, [batch, height, width, 3].
   * @returns int32 [batch, height, width].
   */
  predict(images: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => argmaxLabels(this.logits(images)));
  }

  /** The weights that training changes by gradients. */
  trainable(): NamedWeight[] {
    return [
      ...named('adapter', this.adapted.trainableWeights),
      ...named('head', this.head.trainableWeights),
      ...named('aux', this.aux?.trainableWeights ?? []),
    ];
  }

  /** All weights that training changes: the trainable ones, and the running statistics and counters of the heads. */
  state(): NamedWeight[] {
    return [
      ...named('adapter', this.adapted.trainableWeights),
      ...named('head', this.head.weights),
      ...named('aux', this.aux?.weights ?? []),
    ];
  }

  /** Frees all weights, those of the backbone too. */
  dispose(): void {
    this.adapted.dispose();
    this.adapted.base.dispose();
    this.head.dispose();
    this.aux?.dispose();
  }
}

/** The method that a recipe describes; the seed decides its initial weights. */
function methodOf(method: Recipe['method'], seed: number): Method {
  switch (method.name) {
    case 'frozen':
      return frozen();
    case 'full':
      return full();
    case 'e3va': {
      const { name: _, taps, ...options } = method;
      return e3va({ ...options, seed, ...(taps !== undefined && { taps: new RegExp(taps) }) });
    }
  }
}

function named(part: NamedWeight['part'], weights: readonly LayerVariable[]): NamedWeight[] {
  const seen = new Map<string, number>();
  return weights.map((variable) => {
    const name = `${part}/${variable.originalName}`;
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { key: count === 1 ? name : `${name}#${count}`, part, variable };
  });
}

/** Number of parameters and a hash of the weights: their names, shapes, and up to 4,096 values of each. */
async function backboneIdOf(model: LayersModel): Promise<string> {
  const hash = createHash('sha256');
  let parameters = 0;
  for (const weight of model.weights) {
    const values = (await weight.read().data()) as Float32Array;
    parameters += values.length;
    hash.update(`${weight.originalName}:${weight.shape};`);
    const some = values.subarray(0, 4096);
    hash.update(new Uint8Array(some.buffer, some.byteOffset, some.byteLength));
  }
  return `${model.name}, ${parameters} parameters, ${hash.digest('hex').slice(0, 16)}`;
}
