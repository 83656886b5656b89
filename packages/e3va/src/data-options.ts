import { imagenetMean, imagenetStd } from '@e3va/swin';
import { RecipeError } from './errors.ts';
import type { Recipe } from './recipe/schema.ts';

/**
 * The data folder of a recipe, and the options that it is opened with.
 *
 * @param what What the folder should hold, for the error.
 * @throws {@link RecipeError} if the recipe names none.
 */
export function folderOf<D extends Recipe['data']>(
  { data, train }: { data: D; train: { seed: number } },
  what: string,
) {
  const { dir, cacheMegabytes: _, ...options } = data;
  if (dir !== undefined) return { dir, options: { seed: train.seed, ...definedOnly(options) } };
  throw new RecipeError({
    what: 'the recipe names no data folder',
    expected: `data.dir, ${what}`,
    fix: 'pass --data DIR, or set data.dir in the recipe',
  });
}

/** The object without the keys whose value is undefined. */
function definedOnly<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** How the training images of a recipe are streamed, whatever its task. */
export function streamOptions({ data, train: { batch, seed } }: Recipe, startBatch: number) {
  return {
    batchSize: batch,
    seed,
    shuffle: true,
    repeat: true,
    startBatch,
    cacheBytes: data.cacheMegabytes * 2 ** 20,
    mean: imagenetMean,
    std: imagenetStd,
  };
}
