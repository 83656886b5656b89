import { RecipeError } from './errors.ts';

/** The data folder of a recipe. @throws {@link RecipeError} if it names none. */
export function folderOf({ dir }: { dir?: string | undefined }, what: string): string {
  if (dir !== undefined) return dir;
  throw new RecipeError({
    what: 'the recipe names no data folder',
    expected: `data.dir, ${what}`,
    fix: 'pass --data DIR, or set data.dir in the recipe',
  });
}

/** The object without the keys whose value is undefined. */
export function definedOnly<T extends object>(object: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}
