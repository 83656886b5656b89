import { E3vaError, nodeModule } from '@e3va/highway-grad';
import { WeightFileError } from './errors.ts';

/** Bytes that are read piece by piece, wherever they lie. */
export interface ByteSource {
  /** What it is called in messages. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /**
   * Reads bytes into memory of the caller's own.
   *
   * @param into Memory that may be used for it, at least `length` bytes; without it, fresh memory.
   * @throws {@link WeightFileError} if fewer are there: the positions lie outside, or the file shrank.
   */
  read(offset: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Where bytes can come from. */
export type ByteOrigin = string | URL | Blob | Uint8Array;

/** Most bytes of one read of a file: Node refuses 2 GiB. */
const maxRead = 2 ** 30;

/**
 * Opens bytes: a file by its path or `file:` address is read by position, a Blob too; what an `http:`, `https:`, `data:` or `blob:`
 * address answers is fetched whole.
 *
 * @throws {@link WeightFileError} if nothing is there.
 */
export async function openBytes(
  origin: ByteOrigin,
  name: string = nameOf(origin),
  signal?: AbortSignal,
): Promise<ByteSource> {
  try {
    if (origin instanceof Uint8Array) return memory(origin, name);
    if (typeof Blob !== 'undefined' && origin instanceof Blob) return blob(origin, name);
    if (typeof origin !== 'string' && !(origin instanceof URL)) {
      throw new WeightFileError({
        what: `${name} cannot be opened`,
        expected: 'a path, an address, a Blob or a Uint8Array',
        received: typeof origin,
      });
    }
    return isRemote(origin) ? memory(await download(origin, name, signal), name) : await file(origin, name);
  } catch (cause) {
    throw readingError(name, cause);
  }
}

/** What a source of bytes is called in messages unless it is given a name. */
export function nameOf(origin: ByteOrigin): string {
  if (typeof origin === 'string' || origin instanceof URL) {
    const text = String(origin);
    if (/^data:/i.test(text)) return 'data address';
    // without what may give access: names and passwords, signatures in queries
    return text.replace(/^(https?:\/\/)([^/?#]*@)?([^?#]*).*$/is, '$1$3');
  }
  return (origin as Partial<File>).name || 'weights';
}

/** Whether a text or URL is fetched, and not a path: in a browser everything is. */
export function isRemote(origin: string | URL): boolean {
  return /^(https?|data|blob):/i.test(String(origin)) || !fs();
}

function fs(): typeof import('node:fs/promises') | undefined {
  return nodeModule('node:fs/promises');
}

function readingError(name: string, cause: unknown): Error {
  if (E3vaError.isInstance(cause)) return cause as Error;
  return new WeightFileError(
    { what: `${name} cannot be read`, received: (cause as Error)?.message ?? String(cause) },
    { cause },
  );
}

function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new WeightFileError({
    what: `${name} is cut short`,
    expected: `at least ${offset + length} bytes`,
    received: `${size} bytes`,
    fix: 'download or save the file again',
  });
}

function closed(name: string): WeightFileError {
  return new WeightFileError({ what: `${name} was closed and can no longer be read` });
}

function memory(bytes: Uint8Array, name: string): ByteSource {
  let all: Uint8Array | undefined = bytes;
  return {
    name,
    size: bytes.byteLength,
    async read(offset, length) {
      if (!all) throw closed(name);
      checkRange(name, bytes.byteLength, offset, length);
      return new Uint8Array(all.subarray(offset, offset + length)); // slice() of a Node Buffer would be a view
    },
    async close() {
      all = undefined;
    },
  };
}

function blob(content: Blob, name: string): ByteSource {
  let open = true;
  return {
    name,
    size: content.size,
    async read(offset, length) {
      if (!open) throw closed(name);
      checkRange(name, content.size, offset, length);
      try {
        return new Uint8Array(await content.slice(offset, offset + length).arrayBuffer());
      } catch (cause) {
        throw readingError(name, cause); // a file behind a Blob may have changed or gone
      }
    },
    async close() {
      open = false;
    },
  };
}

async function file(path: string | URL, name: string): Promise<ByteSource> {
  const place = /^file:/i.test(String(path)) ? new URL(path) : path;
  const handle = await fs()!.open(place, 'r');
  const stat = await handle.stat().catch(async (cause) => {
    await handle.close();
    throw cause;
  });
  if (!stat.isFile()) {
    await handle.close();
    throw new WeightFileError({ what: `${name} is no file`, expected: 'the path of a weight file' });
  }
  let open = true;
  return {
    name,
    size: stat.size,
    async read(offset, length, into) {
      if (!open) throw closed(name);
      checkRange(name, stat.size, offset, length);
      const bytes = into?.subarray(0, length) ?? new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const { bytesRead } = await handle
          .read(bytes, at, Math.min(length - at, maxRead), offset + at)
          .catch((cause) => {
            throw readingError(name, cause);
          });
        if (bytesRead === 0) {
          throw new WeightFileError({
            what: `${name} became shorter while it was read`,
            expected: `${stat.size} bytes`,
            received: `nothing behind position ${offset + at}`,
            fix: 'keep other programs from writing the file, and read it again',
          });
        }
        at += bytesRead;
      }
      return bytes;
    },
    async close() {
      if (open) await handle.close();
      open = false;
    },
  };
}

async function download(address: string | URL, name: string, signal?: AbortSignal): Promise<Uint8Array> {
  const response = await fetch(address, { signal: signal ?? null });
  if (!response.ok) {
    await response.body?.cancel();
    throw new WeightFileError({
      what: `${name} cannot be read`,
      received: `HTTP status ${response.status} ${response.statusText}`,
      fix: 'check the address',
    });
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const told = response.headers.get('content-length');
  const packed = response.headers.get('content-encoding') ?? 'identity';
  if (told !== null && packed === 'identity' && Number(told) !== bytes.byteLength) {
    throw new WeightFileError({
      what: `${name} did not arrive whole`,
      expected: `${told} bytes`,
      received: `${bytes.byteLength} bytes`,
      fix: 'download it again',
    });
  }
  return bytes;
}
