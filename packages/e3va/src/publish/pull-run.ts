import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@e3va/adapter-core';
import { type HubOptions, withModel } from '@e3va/hub';
import { CheckpointError, RunError } from '../errors.ts';
import { formatRecipe } from '../recipe/load.ts';
import { isPublished, publishable, readPublished } from './published.ts';

/**
 * Gets a model that {@link pushRun} published, as the folder of a run: `e3va predict --run DIR` uses it, offline too if the backbone is
 * in the cache.
 *
 * @param id `organisation/name` or `organisation/name@revision`.
 * @param dir Folder to make; it must not hold a run.
 * @throws RunError if there is one already; CheckpointError if the repository holds another kind of model; the errors of
 * `openModel`. Nothing is written then.
 */
export async function pullRun(id: string, dir: string, hub: HubOptions = {}): Promise<void> {
  if (existsSync(join(dir, 'recipe.yaml'))) {
    throw new RunError({ what: `${dir} holds a run already`, fix: 'choose another folder with --out' });
  }
  await withModel(id, hub, async ({ weights }) => {
    if (!isPublished(weights)) {
      throw new CheckpointError({
        what: `${id} is no model that e3va push published`,
        fix: `a model of another library is used by its name: e3va predict --model ${id}`,
      });
    }
    const checkpoint = await readPublished(weights);
    await writeFileAtomic(join(dir, 'checkpoints', 'best.safetensors'), publishable(checkpoint));
    await writeFileAtomic(join(dir, 'recipe.yaml'), formatRecipe(checkpoint.info.recipe));
  });
}
