import type { Adapted } from '@e3va/adapter-core';
import type { Detection, DetectionTargets, Detector, ImageSize } from '@e3va/det-heads';
import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { loadBackbone } from '../backbone.ts';
import { type NamedWeight, namedWeights } from '../named-weight.ts';
import type { DetectionRecipe } from '../recipe/schema.ts';
import type { Batch, ClassInfo, Losses, TaskModel } from '../task.ts';
import { detectionHeads } from './heads.ts';

/** The parts of a recipe that a detection model is made from. */
export type DetectionModelRecipe = Pick<DetectionRecipe, 'backbone' | 'method' | 'head' | 'eval'> & {
  train: Pick<DetectionRecipe['train'], 'seed' | 'shortSide' | 'maxSide'>;
};

/** Images and objects of one step. */
export interface DetectionBatch extends Batch {
  /** The objects of each image. */
  targets: readonly DetectionTargets[];
  /** The size of each image inside its padding. */
  sizes: readonly ImageSize[];
  /** Random numbers in [0, 1) for the samplers of the heads. */
  random: () => number;
}

/**
 * An adapted backbone with a detector: images in, objects or a loss out.
 *
 * @example
 * ```ts
 * import { DetectionModel, parseRecipe, useBackend } from 'e3va';
 *
 * await useBackend('wasm');
 * const recipe = parseRecipe({ task: 'detection' });
 * const model = await DetectionModel.create(recipe, { classes: ['cat', 'dog'] });
 * console.log(model.adapted.levels.map((level) => level.stride)); // [4, 8, 16, 32]
 * ```
 */
export class DetectionModel implements TaskModel<DetectionBatch> {
  private constructor(
    /** The backbone with its method. */
    readonly adapted: Adapted,
    /** Neck and heads. */
    readonly detector: Detector,
    /** Identifies the backbone's weights as they were loaded. */
    readonly backboneId: string,
    /** What it was made from. */
    readonly recipe: DetectionModelRecipe,
    /** Classes, and their numbers in COCO files. */
    readonly info: ClassInfo,
    /** What was decided without being asked, in one sentence each, for the log. */
    readonly notes: readonly string[] = [],
  ) {}

  /**
   * Loads the backbone, adapts it, and puts a detector on it: a fresh one, whose initial weights the seed of the recipe decides, or that
   * of the trained model which the recipe names.
   *
   * @param base A backbone to use in place of the recipe's.
   */
  static async create(
    recipe: DetectionModelRecipe,
    info: ClassInfo,
    base?: LayersModel,
  ): Promise<DetectionModel> {
    const { adapted, id } = await loadBackbone(recipe, recipe.train.seed, base);
    try {
      const { detector, recipe: head, notes } = await detectionHeads(recipe, adapted, info.classes);
      return new DetectionModel(adapted, detector, id, { ...recipe, head }, info, notes);
    } catch (error) {
      adapted.dispose();
      if (!base) adapted.base.dispose();
      throw error;
    }
  }

  /** Whether it finds the outlines of objects too. */
  get hasMasks(): boolean {
    return findsMasks(this.recipe);
  }

  /**
   * The training loss and its parts. Call it within `tf.variableGrads`, with taps that were computed outside: then nothing of
   * the frozen half is on the tape.
   *
   * @param taps What `adapted.taps(images)` gave.
   */
  loss(taps: tf.Tensor[], { targets, sizes, random }: DetectionBatch): Losses {
    const levels = this.adapted.pyramid(taps, { training: true }) as tf.Tensor4D[];
    return this.detector.loss(levels, targets, sizes, { training: true, rng: random });
  }

  /**
   * The objects in each image, best first, in pixels of the network's input.
   *
   * @param images Normalised, [batch, height, width, 3], padded to a multiple of 32.
   * @param sizes The size of each image inside its padding.
   */
  async detect(images: tf.Tensor4D, sizes: readonly ImageSize[]): Promise<Detection[][]> {
    const levels = this.adapted.apply(images) as tf.Tensor4D[];
    try {
      return await this.detector.detect(levels, sizes);
    } finally {
      for (const level of levels) level.dispose();
    }
  }

  /** The weights that training changes by gradients. */
  trainable(): NamedWeight[] {
    return this.weights((model) => model.trainableWeights);
  }

  /** All weights that training changes: the trainable ones, and the running statistics of the heads. */
  state(): NamedWeight[] {
    return this.weights((model) => model.weights);
  }

  private weights(of: (model: LayersModel) => LayersModel['weights']): NamedWeight[] {
    const heads = Object.entries(this.detector.models);
    return [
      ...namedWeights('adapter', this.adapted.trainableWeights, 'adapter'),
      ...heads.flatMap(([name, model]) => namedWeights(name, of(model))),
    ];
  }

  /** Frees all weights, those of the backbone too. */
  dispose(): void {
    this.adapted.dispose();
    this.adapted.base.dispose();
    this.detector.dispose();
  }
}

/** Whether the head of a recipe finds the outlines of objects too. */
export function findsMasks({ head }: Pick<DetectionRecipe, 'head'>): boolean {
  return head.name === 'mask-rcnn' || head.name === 'cascade-mask-rcnn';
}
