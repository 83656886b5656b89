import type { DetectionFolder, MaskFolder } from '@e3va/datasets';
import type { DetectionRecipe, Recipe, SegmentationRecipe } from './recipe/schema.ts';
import { type Batch, disposeBatch, type TaskData } from './task.ts';
import { taskOf } from './tasks.ts';

/**
 * Opens the data folder of a recipe: images and masks, or images and boxes, as its task reads them.
 *
 * @throws {@link RecipeError} if the recipe names none; the errors of `openMaskFolder` and `openDetectionFolder` for a folder
 * that cannot be used.
 */
export function openData(recipe: SegmentationRecipe): Promise<MaskFolder>;
export function openData(recipe: DetectionRecipe): Promise<DetectionFolder>;
export function openData(recipe: Recipe): Promise<TaskData>;
export function openData(recipe: Recipe): Promise<TaskData> {
  return taskOf(recipe).openData(recipe);
}

/** An endless stream of training batches: augmented, normalised, shuffled anew in each epoch. */
export class TrainBatches {
  private constructor(
    /** Takes one batch; the caller disposes of it. */
    readonly take: () => Promise<Batch>,
  ) {}

  /**
   * Opens the stream over the `train` split of a data folder.
   *
   * @param startBatch Number of batches that an earlier run took: the stream goes on behind them.
   */
  static async open(data: TaskData, recipe: Recipe, startBatch = 0): Promise<TrainBatches> {
    return new TrainBatches(await taskOf(recipe).trainBatches(data, recipe, startBatch));
  }

  /** Takes `count` batches, hands them to `fn`, and disposes of them. */
  async use<T>(count: number, fn: (batches: Batch[]) => T): Promise<T> {
    const taken: Batch[] = [];
    try {
      while (taken.length < count) taken.push(await this.take());
      return fn(taken);
    } finally {
      taken.forEach(disposeBatch);
    }
  }
}
