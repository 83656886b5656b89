import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { RecipeError } from '../errors.ts';
import { nearest } from './nearest.ts';
import { parseRecipe } from './parse.ts';
import type { Recipe } from './schema.ts';

/** Folder of the recipes that come with the package: beside `dist` and `src`. */
function builtInDir(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'recipes')) && dirname(dir) !== dir) dir = dirname(dir);
  return join(dir, 'recipes');
}

/** Names of the recipes that come with the package. */
export function builtInRecipes(): string[] {
  return readdirSync(builtInDir())
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort();
}

/**
 * Reads and validates a recipe.
 *
 * @param nameOrPath A built-in name (`upernet-nano`, `retinanet-nano`, …), or the path of a YAML file; by default the light
 * recipe of the task that the flags name.
 * @param flags Flags that override keys, as on the command line.
 * @throws {@link RecipeError} if there is no such recipe, or it is wrong.
 */
export function loadRecipe(
  nameOrPath: string | undefined = undefined,
  flags: Readonly<Record<string, string>> = {},
): Recipe {
  nameOrPath ??= flags.task === 'detection' ? 'retinanet-nano' : 'upernet-nano';
  const names = builtInRecipes();
  const file = names.includes(nameOrPath) ? join(builtInDir(), `${nameOrPath}.yaml`) : nameOrPath;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const near = nearest(nameOrPath, names);
    throw new RecipeError(
      {
        what: `there is no recipe ${nameOrPath}`,
        expected: `the path of a YAML file, or one of ${names.join(', ')}`,
        received: (error as NodeJS.ErrnoException).code ?? String(error),
        ...(near ? { fix: `did you mean ${near}?` } : {}),
      },
      { cause: error },
    );
  }
  return parseRecipe(text, { flags, file });
}

/** The recipe as YAML, every default written out. */
export function formatRecipe(recipe: Recipe): string {
  return stringify(recipe, { flowCollectionPadding: true });
}
