import { checksumOfFile } from './cache/checksum.ts';
import type { FileLock } from './cache/lock.ts';
import { openPart, type PartFile, removeTheirPart } from './cache/part-file.ts';
import { HubIntegrityError, HubResponseError, HubUnavailableError } from './errors.ts';
import { addressOf, askedOf, type FileId } from './file-id.ts';
import { chunksOf } from './http/chunks.ts';
import { retried } from './http/retry.ts';
import { type Answer, send } from './http/send.ts';
import { watchStall } from './http/stall-watch.ts';
import { type Asked, statusError } from './http/status-error.ts';
import { fs } from './node.ts';
import { etagOf, isPage, type RemoteFile, unlike } from './remote-file.ts';
import type { HubSettings } from './settings.ts';

/** Bytes that make a try worth as much as a fresh start, so that long downloads survive many breaks. */
const goodProgress = 2 ** 24;

/** The hub's file changed after it was described; the caller asks again. */
export class ChangedFile extends Error {}

/** A download and what it needs. */
interface Job {
  settings: HubSettings;
  file: FileId;
  asked: Asked;
  remote: RemoteFile;
  part: PartFile;
  lock: FileLock;
}

/**
 * Downloads a file into its blob: resumed if a part is there, verified on the disk, and only then moved into place.
 *
 * @throws {@link HubIntegrityError} if what came is not the file, {@link HubResponseError} if more comes: the part is deleted then.
 */
export async function download(
  settings: HubSettings,
  file: FileId,
  remote: RemoteFile,
  blob: string,
  lock: FileLock,
): Promise<void> {
  for (;;) {
    const part = await openPart(blob, remote.size);
    const before = part.size;
    const wrong = await fill({ settings, file, asked: askedOf(file), remote, part, lock });
    if (!wrong) {
      await lock.check();
      await fs().rename(part.file, blob);
      return removeTheirPart(blob);
    }
    await part.discard();
    await removeTheirPart(blob);
    if (before === 0) throw wrong;
    settings.warn(`What an earlier run left of ${askedOf(file).what} was damaged; it is downloaded anew.`);
  }
}

/** Fills a part and verifies it; returns what is wrong with its contents. */
async function fill(job: Job): Promise<HubIntegrityError | undefined> {
  const { settings, remote, part } = job;
  try {
    await retried(settings, () => fetchRest(job), {
      again: (error) => error instanceof HubUnavailableError || error instanceof WrongRange,
      advanced: strides(part),
    });
    await part.finish();
  } catch (error) {
    if (error instanceof ChangedFile) await part.discard();
    throw error;
  } finally {
    await part.close();
  }
  const { size, checksum } = remote;
  if (!checksum)
    return void settings.warn(
      `The server tells no checksum of ${job.asked.what}: only its size is verified.`,
    );
  const found = await checksumOfFile(part.file, size, checksum.algorithm);
  return found === checksum.value ? undefined : mismatch(job.asked, checksum.value, found);
}

/** Tells whether much has come since it was asked before. */
function strides(part: PartFile): () => boolean {
  let last = part.size;
  return () => {
    if (part.size - last < goodProgress) return false;
    last = part.size;
    return true;
  };
}

/** A range that was not asked for. It may be a passing fault of a server in between: without one, it may go. */
class WrongRange extends HubResponseError {}

async function fetchRest(job: Job): Promise<void> {
  const { settings, file, asked, part, remote } = job;
  if (part.size === remote.size) return;
  const watch = watchStall(settings, asked.what);
  try {
    const headers: Record<string, string> = { 'accept-encoding': 'identity' };
    if (part.size > 0) headers.range = `bytes=${part.size}-`;
    const answer = await send(settings, {
      ...asked,
      url: addressOf(settings, file),
      init: { headers },
      watch,
    });
    try {
      await checkAnswer(job, answer);
    } catch (error) {
      await answer.response.body?.cancel();
      throw error;
    }
    await write(job, chunksOf(settings, answer.response, watch, asked.what));
  } finally {
    watch.stop();
  }
}

/** Checks what can be known before the body; starts anew if the server sends the file from its beginning. */
async function checkAnswer(job: Job, { response, hub, own }: Answer): Promise<void> {
  const { settings, asked, part, remote, file } = job;
  const { status, headers } = response;
  if (status === 416) {
    await part.restart();
    throw wrongRange(asked, 'none (HTTP status 416)');
  }
  if (!response.ok) throw statusError(settings, asked, response);
  const etag = hub.get('x-linked-etag') ?? (own ? hub.get('etag') : null);
  if (etag !== null && etagOf(etag, asked) !== remote.etag) throw new ChangedFile();
  if (isPage(response, file.path)) throw unlike(settings, asked, 'a web page', response);
  if (status === 206) await checkRange(job, headers.get('content-range'));
  else if (part.size > 0) await part.restart(); // the server does not know ranges
  const told = headers.get('content-length');
  const packed = headers.has('content-encoding');
  if (told !== null && !packed && Number(told) !== remote.size - part.size) {
    throw wrongLength(asked, remote.size - part.size, told);
  }
}

async function checkRange({ asked, part, remote }: Job, header: string | null): Promise<void> {
  const [, from, , total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(header?.trim() ?? '') ?? [];
  if (Number(from) === part.size && (total === '*' || Number(total) === remote.size)) return;
  await part.restart();
  throw wrongRange(asked, header ?? 'none');
}

async function write({ part, remote, lock, settings, asked, file }: Job, chunks: AsyncIterable<Uint8Array>) {
  for await (const bytes of chunks) {
    if (part.size + bytes.byteLength > remote.size) {
      await part.discard();
      throw wrongLength(asked, remote.size, 'more');
    }
    await lock.check();
    await part.append(bytes);
    settings.onProgress({ file: file.path, received: part.size, total: remote.size });
  }
  if (part.size === remote.size) return;
  throw new HubUnavailableError({
    what: `the connection for ${asked.what} ended early`,
    expected: `${remote.size} bytes`,
    received: `${part.size} bytes`,
    fix: 'run it again: the download resumes where it ended',
  });
}

function wrongRange({ what }: Asked, received: string): WrongRange {
  const fix = 'check that no proxy stands between, and run it again';
  return new WrongRange({
    what: `the server sends another part of ${what} than was asked for`,
    received,
    fix,
  });
}

function wrongLength({ what }: Asked, expected: number, received: string): HubResponseError {
  return new HubResponseError({
    what: `the server sends ${what} with another length than the hub announces`,
    expected: `${expected} bytes`,
    received: `${received} bytes`,
    fix: 'check HF_ENDPOINT, and that no proxy stands between; then run it again',
  });
}

function mismatch({ what }: Asked, expected: string, received: string): HubIntegrityError {
  return new HubIntegrityError({
    what: `${what} was damaged on its way, or is not the file that the hub describes`,
    expected: `checksum ${expected}`,
    received: `checksum ${received}`,
    fix: 'what came was deleted: run it again; if it stays so, check HF_ENDPOINT and tell the owner of the repository',
  });
}
