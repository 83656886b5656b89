import type { Progress } from './progress.ts';
import type { Recipe } from './recipe/schema.ts';
import type { BestScore, EvalEntry, TrainEntry } from './run/log.ts';
import { Training } from './run/training.ts';

/** What {@link trainRun} may be told besides the recipe. */
export interface TrainRunOptions {
  /** Folder of an earlier run to go on with; the recipe should be the one of that run. */
  resume?: string;
  /** When it aborts, the step under way is finished, the run is saved, and training ends. */
  signal?: AbortSignal;
  /** Shows how far the run is. Default: nothing. */
  progress?: Progress;
  /** Whether to score the fresh model before the first step. */
  evaluateFirst?: boolean;
  /** Called for every step and every evaluation, in order. */
  onEntry?: (entry: TrainEntry | EvalEntry) => void;
}

/** How a run ended. */
export interface TrainRunResult {
  /** Folder of the run. */
  dir: string;
  /** Path of the report. */
  report: string;
  /** Steps done in all. */
  steps: number;
  /** All steps were made, the score rose no more, or the signal aborted. */
  ended: 'done' | 'early-stop' | 'interrupted';
  /** The best score on the validation images and its step; null without an evaluation. */
  best: BestScore | null;
  /** Scores of the first evaluation, of the fresh model with `evaluateFirst`; undefined without an evaluation. */
  first: EvalEntry | undefined;
  /** Scores of the last evaluation. */
  last: EvalEntry | undefined;
  /** Trained parameters of the adapter and of the heads, and all parameters of the backbone with its adapter. */
  parameters: { adapter: number; heads: number; backbone: number };
  /** Largest resident memory of the process so far, in bytes. */
  peakRss: number;
}

/**
 * Trains a recipe from data folder to report: evaluation on the way, checkpoints, log, TensorBoard events, early stopping.
 *
 * A run that is resumed comes to the same weights, bit for bit, as one that was never stopped: its random numbers depend on
 * the seed and the step alone, and everything else that changes is in the checkpoint.
 *
 * @throws DivergedError if loss or weights become NaN or infinite: the checkpoints on the disk stay as they were.
 *
 * @example
 * ```ts
 * import { loadRecipe, trainRun } from 'e3va';
 *
 * const recipe = loadRecipe('upernet-nano', { data: 'my-photos', steps: '2', 'train.crop': '[64, 64]' });
 * const { best, report } = await trainRun(recipe);
 * console.log(best?.score, report);
 * ```
 */
export async function trainRun(recipe: Recipe, options: TrainRunOptions = {}): Promise<TrainRunResult> {
  const training = await Training.start(recipe, options);
  try {
    return await training.train();
  } finally {
    training.close();
  }
}
