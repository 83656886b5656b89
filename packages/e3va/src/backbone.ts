import { type Adapted, adapt, e3va, fingerprint, frozen, full, type Method } from '@e3va/adapter-core';
import { loadSwin } from '@e3va/swin';
import type { LayersModel } from '@tensorflow/tfjs-layers';
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
  const model = base ?? (await loadSwin(backbone.name));
  const { name, parameters, hash } = await fingerprint(model);
  const id = `${name}, ${parameters} parameters, ${hash}`;
  return { adapted: adapt(model, methodOf(method, seed)), id };
}

/** The method that a recipe describes; the seed decides its initial weights. */
function methodOf(method: Recipe['method'], seed: number): Method {
  switch (method.name) {
    case 'frozen':
      return frozen();
    case 'full':
      return full();
    case 'e3va': {
      const { name: _, taps, ...options } = method;
      return e3va({ ...options, seed, ...(taps !== undefined && { taps: new RegExp(taps) }) });
    }
  }
}
