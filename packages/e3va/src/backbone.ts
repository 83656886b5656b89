import { type Adapted, adapt, fingerprint, type Method, methodFromConfig } from '@e3va/adapter-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { openBackbone } from './models/open-backbone.ts';
import type { Recipe } from './recipe/schema.ts';

/** An adapted backbone, and what identifies its weights. */
export interface Backbone {
  adapted: Adapted;
  /** Name, number of parameters and hash of the weights as they were loaded. */
  id: string;
}

/**
 * Loads the backbone of a recipe and adapts it. The seed decides the initial weights of the adapter.
 *
 * @param base A backbone to use in place of the recipe's.
 */
export async function loadBackbone(
  { backbone, method }: Pick<Recipe, 'backbone' | 'method'>,
  seed: number,
  base?: LayersModel,
): Promise<Backbone> {
  const model = base ?? (await openBackbone(backbone.name));
  const { name, parameters, hash } = await fingerprint(model);
  const id = `${name}, ${parameters} parameters, ${hash}`;
  return { adapted: adapt(model, methodOf(method, seed)), id };
}

/** The method that a recipe describes; the seed decides its initial weights. */
function methodOf({ name, ...options }: Recipe['method'], seed: number): Method {
  const config = Object.entries(options).map(([key, value]) => [
    key,
    patternKeys.has(key) ? `/${value}/` : value,
  ]);
  return methodFromConfig(name, { ...Object.fromEntries(config), seed });
}

/** Options that are the text of a regular expression. */
const patternKeys = new Set(['taps', 'targets', 'after', 'branches', 'layers']);
