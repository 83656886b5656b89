import type { FileId } from '../file-id.ts';
import { isCommit } from '../names.ts';
import { fs } from '../node.ts';
import type { HubSettings } from '../settings.ts';
import { ifThere } from './file-errors.ts';
import { knownCommit, repoCache, sizeOfFile } from './layout.ts';

/** A file that lies in the cache. */
export interface CachedFile {
  /** Its path on this machine. */
  file: string;
  commit: string;
}

/** A file of the cache for a revision, as far as the cache knows that. */
export async function inCache(
  settings: HubSettings,
  { repo, revision, path }: FileId,
): Promise<CachedFile | undefined> {
  const cache = repoCache(settings, repo);
  const commit = isCommit(revision) ? revision : await knownCommit(cache, revision);
  if (commit === undefined) return undefined;
  const file = cache.snapshot(commit, path);
  return (await sizeOfFile(file)) === undefined ? undefined : { file, commit };
}

/** Names of the files that the cache has for a revision, at the top of the repository. */
export async function repoCacheFiles(settings: HubSettings, { repo, revision }: FileId): Promise<string[]> {
  const cache = repoCache(settings, repo);
  const commit = isCommit(revision) ? revision : await knownCommit(cache, revision);
  return commit === undefined ? [] : ((await ifThere(fs().readdir(cache.snapshot(commit)))) ?? []);
}
