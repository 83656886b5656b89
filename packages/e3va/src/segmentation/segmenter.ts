import type { Adapted } from '@e3va/adapter-core';
import { argmaxLabels, segmentationLoss, slideInference, wholeInference } from '@e3va/seg-heads';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { loadBackbone } from '../backbone.ts';
import { type NamedWeight, namedWeights } from '../named-weight.ts';
import type { SegmentationRecipe } from '../recipe/schema.ts';
import type { Batch, ClassInfo, Losses, TaskModel } from '../task.ts';
import { segmentationHeads } from './heads.ts';

/** The parts of a recipe that a segmenter is made from. */
export type SegmenterRecipe = Pick<SegmentationRecipe, 'backbone' | 'method' | 'head' | 'eval'> & {
  train: Pick<SegmentationRecipe['train'], 'seed'>;
};

/** Images and labels of one step. */
export interface SegmentationBatch extends Batch {
  /** int32 [batch, height, width]. */
  labels: tf.Tensor3D;
}

/**
 * An adapted backbone with its segmentation head: images in, logits, labels or a loss out.
 *
 * @example
 * ```ts
 * import { parseRecipe, Segmenter, useBackend } from 'e3va';
 *
 * await useBackend('wasm');
 * const segmenter = await Segmenter.create(parseRecipe({}), { classes: ['sky', 'road'], ignoreIndex: 255 });
 * console.log(segmenter.adapted.levels.map((level) => level.stride)); // [4, 8, 16, 32]
 * ```
 */
export class Segmenter implements TaskModel<SegmentationBatch> {
  private constructor(
    /** The backbone with its method. */
    readonly adapted: Adapted,
    /** The segmentation head. */
    readonly head: LayersModel,
    /** The auxiliary head, for training only; undefined without one. */
    readonly aux: LayersModel | undefined,
    /** Identifies the backbone's weights as they were loaded. */
    readonly backboneId: string,
    /** What it was made from. */
    readonly recipe: SegmenterRecipe,
    /** Classes and ignored label. */
    readonly info: ClassInfo,
    /** What was decided without being asked, in one sentence each, for the log. */
    readonly notes: readonly string[] = [],
  ) {}

  /**
   * Loads the backbone, adapts it, and puts a head on it: a fresh one, whose initial weights the seed of the recipe decides, or that of
   * the trained model which the recipe names.
   *
   * @param base A backbone to use in place of the recipe's.
   */
  static async create(recipe: SegmenterRecipe, info: ClassInfo, base?: LayersModel): Promise<Segmenter> {
    const { seed } = recipe.train;
    const { adapted, id } = await loadBackbone(recipe, seed, base);
    try {
      const {
        head,
        aux,
        recipe: used,
        notes,
      } = await segmentationHeads(recipe.head, adapted.levels, info.classes.length, seed);
      return new Segmenter(adapted, head, aux, id, { ...recipe, head: used }, info, notes);
    } catch (error) {
      adapted.dispose();
      if (!base) adapted.base.dispose();
      throw error;
    }
  }

  /** Number of classes. */
  get classes(): number {
    return this.info.classes.length;
  }

  /**
   * The training loss: cross-entropy of the logits at label size, plus the weighted one of the auxiliary head. Call it within
   * `tf.variableGrads`, with taps that were computed outside: then nothing of the frozen half is on the tape.
   *
   * @param taps What `adapted.taps(images)` gave.
   */
  loss(taps: tf.Tensor[], { labels }: SegmentationBatch): Losses {
    const total = tf.tidy(() => {
      const training = { training: true };
      const levels = this.adapted.pyramid(taps, training);
      const logits = this.head.apply(levels, training) as tf.Tensor4D;
      const { aux } = this.recipe.head;
      const { ignoreIndex = 255 } = this.info;
      const options = { ignoreIndex, ...(aux && { auxWeight: aux.weight }) };
      if (!this.aux || !aux) return segmentationLoss({ logits }, labels, options);
      const level = levels[Math.min(aux.level, levels.length - 1)]!;
      const auxLogits = this.aux.apply(level, training) as tf.Tensor4D;
      return segmentationLoss({ logits, auxLogits }, labels, options);
    });
    return { total, losses: {} };
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
      ...namedWeights('adapter', this.adapted.trainableWeights, 'adapter'),
      ...namedWeights('head', this.head.trainableWeights),
      ...namedWeights('aux', this.aux?.trainableWeights ?? []),
    ];
  }

  /** All weights that training changes: the trainable ones, and the running statistics and counters of the heads. */
  state(): NamedWeight[] {
    return [
      ...namedWeights('adapter', this.adapted.trainableWeights, 'adapter'),
      ...namedWeights('head', this.head.weights),
      ...namedWeights('aux', this.aux?.weights ?? []),
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
