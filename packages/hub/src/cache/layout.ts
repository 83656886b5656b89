import { fs, path } from '../node.ts';
import type { HubSettings } from '../settings.ts';
import { ifThere } from './file-errors.ts';

/** Where the cache keeps a repository: the layout of Python's `huggingface_hub`. */
export interface RepoCache {
  /** `models--organisation--name` in the folder of the cache. */
  folder: string;
  /** The file of a checksum. */
  blob(etag: string): string;
  /** The file with the commit of a branch or tag. */
  ref(revision: string): string;
  /** A file of a commit, a link to its blob. */
  snapshot(commit: string, file?: string): string;
}

/** Where a repository's files are. The names were checked before. */
export function repoCache({ cacheDir }: HubSettings, repo: string): RepoCache {
  const { join } = path();
  const folder = join(cacheDir, `models--${repo.split('/').join('--')}`);
  return {
    folder,
    blob: (etag) => join(folder, 'blobs', etag),
    ref: (revision) => join(folder, 'refs', ...revision.split('/')),
    snapshot: (commit, file) => join(folder, 'snapshots', commit, ...(file?.split('/') ?? [])),
  };
}

/** Size of a file, also behind a link; undefined if there is none. */
export async function sizeOfFile(file: string): Promise<number | undefined> {
  const stat = await ifThere(fs().stat(file));
  return stat?.isFile() ? stat.size : undefined;
}

/** The commit that the cache knows for a branch or tag. */
export async function knownCommit(cache: RepoCache, revision: string): Promise<string | undefined> {
  const file = cache.ref(revision);
  if ((await sizeOfFile(file)) === undefined) return undefined;
  const commit = (await fs().readFile(file, 'utf8')).trim();
  return /^[0-9A-Za-z]{1,64}$/.test(commit) ? commit : undefined;
}
