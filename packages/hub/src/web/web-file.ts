import { E3vaError } from '@e3va/highway-grad';
import {
  HubIntegrityError,
  HubOfflineError,
  HubResponseError,
  HubSettingError,
  HubUnavailableError,
} from '../errors.ts';
import { addressOf, askedOf, type FileId } from '../file-id.ts';
import { chunksOf } from '../http/chunks.ts';
import { retried } from '../http/retry.ts';
import { send } from '../http/send.ts';
import { watchStall } from '../http/stall-watch.ts';
import { statusError } from '../http/status-error.ts';
import { commitOnHub, listedFile } from '../hub-lists.ts';
import { isCommit } from '../names.ts';
import { isPage, unlike } from '../remote-file.ts';
import type { HubSettings } from '../settings.ts';
import { checksumOfBlob } from './checksum-of-blob.ts';
import { webCache } from './web-cache.ts';

/** A file that a browser keeps. */
export interface WebFile {
  content: Blob;
  commit: string;
}

/**
 * Gets a file in a browser: from Cache Storage, or from the hub, verified, and then into Cache Storage.
 *
 * @param largest Most bytes that are downloaded.
 */
export async function webFile(settings: HubSettings, id: FileId, largest = Infinity): Promise<WebFile> {
  const commit = await commitOf(settings, id);
  const file = { ...id, revision: commit };
  const cache = await webCache(settings);
  const key = addressOf(settings, file);
  return cache.alone(key, async () => {
    const there = await cache.get(key);
    if (there) return { content: there, commit };
    if (settings.offline) throw notCached(id);
    const content = await fetched(settings, file, largest);
    await cache.put(key, content);
    return { content, commit };
  });
}

/** The commit of a branch or tag, asked of the hub; from the cache where that does not answer. */
async function commitOf(settings: HubSettings, id: FileId): Promise<string> {
  const { repo, revision } = id;
  if (isCommit(revision)) return revision;
  const cache = await webCache(settings);
  const key = `${settings.endpoint}/api/models/${repo}/revision/${encodeURIComponent(revision)}`;
  const known = await (await cache.get(key))?.text();
  if (settings.offline && known === undefined) throw notCached(id);
  if (settings.offline) return known!;
  try {
    const commit = await commitOnHub(settings, id);
    await cache.put(key, new Blob([commit]));
    return commit;
  } catch (error) {
    if (known === undefined || !(error instanceof HubUnavailableError)) throw error;
    settings.warn(`${error.parts.what}: ${repo} is taken from the cache (commit ${known}).`);
    return known;
  }
}

async function fetched(settings: HubSettings, file: FileId, largest: number): Promise<Blob> {
  const asked = askedOf(file);
  const listed = await listedFile(settings, file);
  if (!listed) {
    const gone = new Response(null, { status: 404, headers: { 'x-error-code': 'EntryNotFound' } });
    throw statusError(settings, asked, gone);
  }
  if (listed.size > largest) throw wrongSize(file, `at most ${largest} bytes`, `${listed.size} bytes`);
  const content = await retried(settings, () => body(settings, file, listed.size));
  const found = await checksumOfBlob(content, listed.checksum.algorithm);
  if (found === listed.checksum.value) return content;
  throw new HubIntegrityError({
    what: `${asked.what} was damaged on its way, or is not the file that the hub describes`,
    expected: `checksum ${listed.checksum.value}`,
    received: `checksum ${found}`,
    fix: 'load it again: nothing of it was kept',
  });
}

async function body(settings: HubSettings, file: FileId, size: number): Promise<Blob> {
  const asked = askedOf(file);
  const watch = watchStall(settings, asked.what);
  try {
    const { response } = await send(settings, { ...asked, url: addressOf(settings, file), watch });
    if (!response.ok) throw statusError(settings, asked, response);
    if (isPage(response, file.path)) throw unlike(settings, asked, 'a web page', response);
    const parts: BlobPart[] = [];
    let received = 0;
    for await (const bytes of chunksOf(settings, response, watch, asked.what)) {
      received += bytes.byteLength;
      if (received > size) throw wrongSize(file, `${size} bytes`, 'more');
      parts.push(bytes);
      settings.onProgress({ file: file.path, received, total: size });
    }
    if (received === size) return new Blob(parts);
    throw new HubUnavailableError({
      what: `the connection for ${asked.what} ended early`,
      expected: `${size} bytes`,
      received: `${received} bytes`,
      fix: 'load it again',
    });
  } finally {
    watch.stop();
  }
}

function wrongSize(file: FileId, expected: string, received: string): HubResponseError {
  return new HubResponseError({
    what: `${askedOf(file).what} has another size than it should`,
    expected,
    received,
  });
}

function notCached(id: FileId): HubOfflineError {
  return new HubOfflineError({
    what: `${askedOf(id).what} is not in the cache of this browser, and the offline mode is on`,
    fix: 'load it once without the offline mode',
  });
}

/** Makes sure that what a browser threw is an error of this package. */
export function webError(cause: unknown): unknown {
  if (E3vaError.isInstance(cause) || !(cause instanceof DOMException) || cause.name === 'AbortError')
    return cause;
  return new HubSettingError(
    { what: 'this browser cannot keep files', received: cause.message, fix: 'open the page over https' },
    { cause },
  );
}
