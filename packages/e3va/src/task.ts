import type { Adapted } from '@e3va/adapter-core';
import type { RgbImage } from '@e3va/datasets';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { NamedWeight } from './named-weight.ts';
import type { Recipe } from './recipe/schema.ts';
import type { ReportSection } from './report/report.ts';

/** Images of one step, and what a task knows of them. Its tensors are direct properties. */
export interface Batch {
  /** Normalised, float32 [batch, height, width, 3]. */
  images: tf.Tensor4D;
}

/** What a model must know of the data. */
export interface ClassInfo {
  /** Name of each class, by class index. */
  classes: readonly string[];
  /** Segmentation: label of the pixels that do not count. */
  ignoreIndex?: number;
  /** Detection: the number of each class in COCO files; 1, 2, 3 … where the data have none. */
  categoryIds?: readonly number[];
}

/** An opened data folder. */
export interface TaskData extends ClassInfo {
  readonly directory: string;
  readonly splits: readonly string[];
  /** What was decided without being asked, in one sentence each, for the log. */
  readonly notes: readonly string[];
  /** One split, read as the task reads it. */
  split(name: string): { readonly length: number };
}

/** The loss of one step: a scalar, and the parts it is the sum of. */
export interface Losses {
  total: tf.Scalar;
  losses: Record<string, tf.Scalar>;
}

/** An adapted backbone with the heads of a task: what a {@link Trainer} trains. */
export interface TaskModel<B extends Batch = Batch> {
  /** The backbone with its method. */
  readonly adapted: Adapted;
  /** Identifies the backbone's weights as they were loaded. */
  readonly backboneId: string;
  /** What was decided without being asked, in one sentence each, for the log. */
  readonly notes: readonly string[];
  /**
   * The training loss. Called within `tf.variableGrads`, with taps that were computed outside: then nothing of the frozen half
   * is on the tape.
   *
   * @param taps What `adapted.taps(batch.images)` gave.
   */
  loss(taps: tf.Tensor[], batch: B): Losses;
  /** The weights that training changes by gradients. */
  trainable(): NamedWeight[];
  /** All weights that training changes: the trainable ones, and the running statistics and counters of the heads. */
  state(): NamedWeight[];
  /** Frees all weights, those of the backbone too. */
  dispose(): void;
}

/** Scores on the images of a split, in 0..1. */
export interface TaskScores {
  /** The figure that decides which checkpoint is the best; a key of `scores`. */
  metric: string;
  /** Figures over all classes; the ones that matter most come first. */
  scores: Record<string, number>;
  /** Figures of each class, by class index; null for a class that does not occur. */
  perClass: Record<string, (number | null)[]>;
}

/** How predictions are written. */
export interface PredictOptions {
  /** Whether to draw on the image too; true by default. */
  overlay?: boolean;
  /** Detection: what is written beside the pictures. */
  format?: 'coco' | 'yolo';
  /** Detection: least score of what is drawn and written. */
  scoreThreshold?: number;
}

/** What differs between tasks; everything else of a run is common. Its methods take what its own methods gave. */
export interface Task<
  R extends Recipe = Recipe,
  D extends TaskData = TaskData,
  M extends TaskModel = TaskModel,
> {
  /** Opens the data folder of a recipe. */
  openData(recipe: Pick<R, 'data' | 'train'>): Promise<D>;
  /** Loads the backbone, adapts it, and puts fresh heads on it; the seed of the recipe decides their weights. */
  createModel(recipe: R, data: ClassInfo, base?: LayersModel): Promise<M>;
  /** An endless stream of training batches that depends on recipe and data alone; batch `start` comes first. */
  trainBatches(data: D, recipe: R, start: number): Promise<() => Promise<Batch>>;
  /** A batch of one empty image of the training size, to measure a step with. */
  emptyBatch(recipe: R): Batch;
  /** Scores a model on a split, at the images' own size. */
  evaluate(model: M, data: D, split: string): Promise<TaskScores>;
  /** The first image of a split with its prediction drawn on it. */
  picture(model: M, data: D, split: string): Promise<RgbImage>;
  /** What a report shows beside curves, class table and recipe. */
  reportSections(model: M, data: D, split: string): Promise<ReportSection[]>;
  /** Predicts on images, folders or patterns and writes the results; gives what was found in each image, and the paths, in lines of text. */
  predictFiles(
    model: M,
    inputs: readonly string[],
    out: string,
    options: PredictOptions,
  ): AsyncGenerator<string>;
}

/** Disposes of the tensors of a batch. */
export function disposeBatch(batch: Batch): void {
  for (const value of Object.values(batch)) if (value instanceof tf.Tensor) value.dispose();
}
