import { HubResponseError, HubStallError } from './errors.ts';
import { addressOf, askedOf, type Checksum, checksumOf, type FileId } from './file-id.ts';
import { isPassing, retried } from './http/retry.ts';
import { send } from './http/send.ts';
import { watchStall } from './http/stall-watch.ts';
import { type Asked, statusError } from './http/status-error.ts';
import { listedFile } from './hub-lists.ts';
import { isCommit, shown } from './names.ts';
import type { HubSettings } from './settings.ts';

/** What a hub says of a file. */
export interface RemoteFile {
  /** The commit that the revision stands for. */
  commit: string;
  /** What the file is called in the cache: the checksum, on a hub. */
  etag: string;
  /** In bytes. */
  size: number;
  /** SHA-256 of large files, Git's own checksum of small ones; undefined if the server tells none. */
  checksum: Checksum | undefined;
}

/** Most milliseconds that a hub is waited for where the cache could serve as well. */
const shortTimeout = 10_000;

/**
 * Asks the hub for a file's commit, name in the cache, size and checksum, by one HEAD request.
 *
 * @param inCache Whether the cache has the file of an earlier day: then a hub that gives no answer is not asked again.
 */
export async function remoteFile(settings: HubSettings, file: FileId, inCache: boolean): Promise<RemoteFile> {
  const asked = askedOf(file);
  const stallTimeout = inCache ? Math.min(shortTimeout, settings.stallTimeout) : settings.stallTimeout;
  const { response, hub, own } = await retried(
    settings,
    () => head({ ...settings, stallTimeout }, file, asked),
    {
      again: (error) => isPassing(error) && !(inCache && error instanceof HubStallError),
    },
  );
  const commit = commitOf(hub, file, asked);
  const told = hub.get('x-linked-etag') ?? (own ? hub.get('etag') : null);
  const etag = told === null ? undefined : etagOf(told, asked);
  const size = sizeOf(
    hub.get('x-linked-size') ?? (response.ok ? response.headers.get('content-length') : null),
  );
  const checksum = etag === undefined ? undefined : checksumOf(etag);
  if (etag !== undefined && size !== undefined && checksum) return { commit, etag, size, checksum };
  const listed = await listedFile(settings, { ...file, revision: commit });
  const name = etag ?? listed?.checksum.value;
  if (name === undefined || (size ?? listed?.size) === undefined) {
    throw unlike(settings, asked, 'no ETag or no size', response);
  }
  return { commit, etag: name, size: size ?? listed!.size, checksum: checksum ?? listed?.checksum };
}

async function head(settings: HubSettings, file: FileId, asked: Asked) {
  const watch = watchStall(settings, asked.what);
  try {
    const init = { method: 'HEAD', headers: { 'accept-encoding': 'identity' } }; // lengths are those of the file
    const enough = (headers: Headers) => headers.has('x-linked-etag');
    const answer = await send(settings, { ...asked, url: addressOf(settings, file), init, watch, enough });
    const { response } = answer;
    if (response.status >= 400) throw statusError(settings, asked, response);
    if (response.ok && isPage(response, file.path)) throw unlike(settings, asked, 'a web page', response);
    return answer;
  } finally {
    watch.stop();
  }
}

function commitOf(hub: Headers, { revision }: FileId, { what }: Asked): string {
  const told = hub.get('x-repo-commit') ?? (isCommit(revision) ? revision : '');
  if (/^[0-9A-Za-z]{1,64}$/.test(told) && (!isCommit(revision) || told === revision)) return told;
  throw new HubResponseError({
    what: `the server does not tell the commit of ${what}`,
    expected: isCommit(revision) ? revision : 'a header X-Repo-Commit',
    received: told === '' ? 'none' : shown(told),
    fix: 'check that HF_ENDPOINT is the address of a hub',
  });
}

/** The name under which the cache keeps what has an ETag, as Python's library makes it. */
export function etagOf(header: string, { what }: Asked): string {
  const etag = header.replace(/^W\//, '').replace(/^"|"$/g, '');
  if (/^[A-Za-z0-9][\w.-]{0,127}$/.test(etag) && !/\.(incomplete|lock|)$/i.test(etag)) return etag;
  throw new HubResponseError({
    what: `the server's ETag of ${what} cannot be the name of a file`,
    expected: 'a checksum in hexadecimal digits',
    received: shown(header),
    fix: 'check that HF_ENDPOINT is the address of a hub',
  });
}

function sizeOf(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/** Whether an answer is a web page although a file that is none was asked for: portals of networks send them. */
export function isPage({ headers }: Response, path: string): boolean {
  return (
    /^\s*(text\/html|application\/xhtml)/i.test(headers.get('content-type') ?? '') &&
    !/\.x?html?$/i.test(path)
  );
}

/** The error for an answer that is not one of a hub. */
export function unlike({ endpoint }: HubSettings, { what }: Asked, received: string, { status }: Response) {
  return new HubResponseError({
    what: `what the server answers for ${what} is not what a hub answers`,
    received: `HTTP status ${status} with ${received}`,
    fix: `check that ${endpoint} is the address of a hub, and that no network portal or proxy stands between`,
  });
}
