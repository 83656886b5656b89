import { existsSync } from 'node:fs';
import { HubNameError, type HubOptions, type Pushed, parseModelId, pushFiles } from '@e3va/hub';
import { hubIdOf } from '../models/catalogue.ts';
import { readCheckpoint } from '../run/checkpoint.ts';
import { RunFolder } from '../run/run-folder.ts';
import { modelCard } from './model-card.ts';
import { publishable, publishedFile } from './published.ts';

/** Where {@link pushRun} publishes. */
export interface PushRunOptions extends HubOptions {
  /** `organisation/name`; made if it does not exist. */
  repo: string;
  /** Identifier of the licence, such as `apache-2.0`; for the model card. */
  license?: string;
  /** Whether a repository that is made is private. */
  private?: boolean;
}

/**
 * Publishes what a run trained on a hub: adapter and head of its best checkpoint as `model.safetensors`, its recipe, and a model card
 * if the repository has none. `e3va predict --model organisation/name` and {@link loadModel} use it.
 *
 * @param dir Folder of the run.
 * @throws RunError or CheckpointError if there is no run; the errors of `pushFiles` of `@e3va/hub`.
 */
export async function pushRun(
  dir: string,
  { repo, license, private: hidden, ...hub }: PushRunOptions,
): Promise<Pushed> {
  const folder = RunFolder.open(dir);
  const checkpoint = readCheckpoint(folder.trainedPath);
  const baseModel = baseModelOf(checkpoint.info.recipe.backbone.name);
  const card = modelCard(checkpoint.info, {
    repo,
    ...(license !== undefined && { license }),
    ...(baseModel !== undefined && { baseModel }),
  });
  return pushFiles({
    ...hub,
    repo,
    files: { [publishedFile]: publishable(checkpoint), 'recipe.yaml': folder.recipeText() },
    defaults: { 'README.md': card },
    ...(hidden !== undefined && { private: hidden }),
    message: 'Upload a model trained with e3va',
  });
}

/** The model id of a backbone; undefined for a file, a folder, or weights that come with the packages. */
function baseModelOf(name: string): string | undefined {
  if (existsSync(name)) return undefined;
  try {
    const { repo } = parseModelId(hubIdOf(name));
    return repo.includes('/') ? repo : undefined;
  } catch (error) {
    if (error instanceof HubNameError) return undefined;
    throw error;
  }
}
