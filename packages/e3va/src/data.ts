import { batches, type MaskFolder, openMaskFolder, trainAugmentation } from '@e3va/datasets';
import { imagenetMean, imagenetStd } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import { RecipeError } from './errors.ts';
import type { Recipe } from './recipe/schema.ts';
import type { Batch } from './trainer.ts';

/**
 * Opens the data folder of a recipe.
 *
 * @throws {@link RecipeError} if the recipe names none; errors of `openMaskFolder` for a folder that cannot be used.
 */
export async function openData({ data, train }: Pick<Recipe, 'data' | 'train'>): Promise<MaskFolder> {
  const { dir, cacheMegabytes: _, ...options } = data;
  if (dir === undefined) {
    throw new RecipeError({
      what: 'the recipe names no data folder',
      expected: 'data.dir, a folder of images and masks',
      fix: 'pass --data DIR, or set data.dir in the recipe',
    });
  }
  return openMaskFolder(dir, { seed: train.seed, ...definedOnly(options) });
}

/** The object without the keys whose value is undefined. */
function definedOnly<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
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
  static async open(folder: MaskFolder, recipe: Recipe, startBatch = 0): Promise<TrainBatches> {
    const { batch, crop, scale, flip, photometric, categoryCap, seed } = recipe.train;
    const transform = trainAugmentation({
      crop,
      scale,
      flip,
      catMaxRatio: categoryCap,
      ignoreIndex: folder.ignoreIndex,
      ...(photometric ? {} : { photometric: false as const }),
    });
    const dataset = batches(folder.split('train'), {
      batchSize: batch,
      transform,
      seed,
      shuffle: true,
      repeat: true,
      startBatch,
      cacheBytes: recipe.data.cacheMegabytes * 2 ** 20,
      mean: imagenetMean,
      std: imagenetStd,
    });
    const iterator = await dataset.iterator();
    return new TrainBatches(async () => (await iterator.next()).value);
  }

  /** Takes `count` batches, hands them to `fn`, and disposes of them. */
  async use<T>(count: number, fn: (batches: Batch[]) => T): Promise<T> {
    const taken: Batch[] = [];
    try {
      while (taken.length < count) taken.push(await this.take());
      return fn(taken);
    } finally {
      for (const { images, labels } of taken) tf.dispose([images, labels]);
    }
  }
}
