import { E3vaError } from '@e3va/highway-grad';
import { fileError } from './cache/file-errors.ts';
import { type CachedFile, inCache } from './cache/in-cache.ts';
import { repoCache, sizeOfFile } from './cache/layout.ts';
import { linkSnapshot, noteCommit } from './cache/links.ts';
import { withLock } from './cache/lock.ts';
import { ChangedFile, download } from './download.ts';
import { HubOfflineError, HubResponseError, HubSettingError, HubUnavailableError } from './errors.ts';
import { askedOf, type FileId } from './file-id.ts';
import { checkPath, checkRepo, checkRevision, defaultRevision, isCommit } from './names.ts';
import { fs, isNode, path as paths } from './node.ts';
import { type RemoteFile, remoteFile } from './remote-file.ts';
import { type HubOptions, type HubSettings, settingsOf } from './settings.ts';

/** Which file {@link resolveFile} gets. */
export interface ResolveFileOptions extends HubOptions {
  /** `organisation/name`. */
  repo: string;
  /** Path in the repository. */
  path: string;
  /** Branch, tag or commit hash; default `main`. */
  revision?: string;
}

/**
 * Gets a file of a model on a hub into the cache that Python's `huggingface_hub` uses too, and returns where it lies. Node only.
 *
 * A file that is there already is not downloaded again: one request asks what the branch or tag stands for, none is needed for a
 * commit hash. A download that broke is resumed. Size and checksum are verified before the file gets its place. Several
 * processes may ask for the same file: one downloads, the others wait.
 *
 * @returns The path of the file in the snapshot of its commit.
 * @throws {@link HubNameError} for names that no hub has; {@link HubAccessError}, {@link HubNotFoundError},
 * {@link HubUnavailableError}, {@link HubStallError}, {@link HubResponseError} for what the hub answers; {@link HubIntegrityError}
 * for a damaged download; {@link HubOfflineError}, {@link HubDiskError}, {@link HubCacheError} for this machine.
 *
 * @example
 * ```ts no-run
 * import { resolveFile } from '@e3va/hub';
 *
 * const file = await resolveFile({ repo: 'microsoft/swin-tiny-patch4-window7-224', path: 'model.safetensors' });
 * ```
 */
export async function resolveFile({ repo, path, revision, ...options }: ResolveFileOptions): Promise<string> {
  const id = {
    repo: checkRepo(repo),
    path: checkPath(path),
    revision: checkRevision(revision ?? defaultRevision),
  };
  return (await cachedFile(await settingsOf(options), id)).file;
}

/** {@link resolveFile} with settings; `largest` bounds what is downloaded, in bytes. */
export async function cachedFile(settings: HubSettings, id: FileId, largest = Infinity): Promise<CachedFile> {
  if (!isNode()) {
    throw new HubSettingError({ what: 'there is no folder for a cache in a browser', fix: 'use openModel' });
  }
  try {
    return await find(settings, id, largest);
  } catch (cause) {
    throw E3vaError.isInstance(cause) ? cause : fileError(cause, settings.cacheDir);
  }
}

async function find(settings: HubSettings, id: FileId, largest: number): Promise<CachedFile> {
  const there = await inCache(settings, id);
  if (there && (isCommit(id.revision) || settings.offline)) return there;
  if (settings.offline) throw notCached(settings, id);
  for (let changes = 0; ; changes++) {
    try {
      return await fresh(settings, id, largest, there !== undefined);
    } catch (error) {
      if (error instanceof ChangedFile && changes < 2) continue;
      if (error instanceof ChangedFile) throw restless(id);
      if (!there || !(error instanceof HubUnavailableError)) throw error;
      settings.warn(
        `${error.parts.what}: ${askedOf(id).what} is taken from the cache (commit ${there.commit}).`,
      );
      return there;
    }
  }
}

/** The file as the hub has it now. */
async function fresh(
  settings: HubSettings,
  id: FileId,
  largest: number,
  inCache: boolean,
): Promise<CachedFile> {
  const cache = repoCache(settings, id.repo);
  const remote = await remoteFile(settings, id, inCache);
  const { commit, etag, size } = remote;
  if (size > largest) throw tooLarge(id, size, largest);
  const file = cache.snapshot(commit, id.path);
  if ((await sizeOfFile(file)) !== size) {
    const blob = cache.blob(etag);
    if ((await sizeOfFile(blob)) !== size) await fetchBlob(settings, id, remote, blob);
    await linkSnapshot(file, blob);
  }
  await noteCommit(cache, id.revision, commit);
  return { file, commit };
}

async function fetchBlob(settings: HubSettings, id: FileId, remote: RemoteFile, blob: string): Promise<void> {
  await fs().mkdir(paths().dirname(blob), { recursive: true });
  await withLock(
    `${blob}.e3va.lock`,
    async (lock) => {
      if ((await sizeOfFile(blob)) !== remote.size) await download(settings, id, remote, blob, lock);
    },
    settings.signal,
  );
}

function notCached({ cacheDir }: HubSettings, id: FileId): HubOfflineError {
  return new HubOfflineError({
    what: `${askedOf(id).what} is not in the cache, and the offline mode is on`,
    received: `the cache ${cacheDir}`,
    fix: 'download it once without HF_HUB_OFFLINE, or copy the cache of another machine',
  });
}

function restless(id: FileId): HubResponseError {
  return new HubResponseError({
    what: `${askedOf(id).what} changes while it is downloaded`,
    fix: 'name a commit hash as the revision, or try again later',
  });
}

function tooLarge(id: FileId, size: number, largest: number): HubResponseError {
  return new HubResponseError({
    what: `${askedOf(id).what} is too large`,
    expected: `at most ${largest} bytes`,
    received: `${size} bytes`,
    fix: 'check that this is the file you mean',
  });
}
