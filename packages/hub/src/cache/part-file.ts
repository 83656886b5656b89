import type { FileHandle } from 'node:fs/promises';
import { HubDiskError } from '../errors.ts';
import { fs, path } from '../node.ts';
import { ifThere } from './file-errors.ts';
import { sizeOfFile } from './layout.ts';

/** Milliseconds after which a part that Python's library left is taken to be abandoned. */
const abandoned = 60_000;

/** What is there of a blob while it is downloaded: a file beside it. */
export interface PartFile {
  readonly file: string;
  /** Bytes that are there. */
  readonly size: number;
  /** Writes behind what is there. */
  append(bytes: Uint8Array): Promise<void>;
  /** Throws away what is there; the file stays open. */
  restart(): Promise<void>;
  /** Makes sure that everything is on the disk, and closes the file. */
  finish(): Promise<void>;
  /** Closes the file if that was not done; an empty one goes. */
  close(): Promise<void>;
  /** Closes and deletes the file. */
  discard(): Promise<void>;
}

/**
 * Opens the part of a blob. It has a name of its own: Python's library does not know this package's locks and might write behind
 * `….incomplete` at the same time. What that left there is taken as a beginning, by a copy.
 *
 * @throws {@link HubDiskError} if the disk has no room for the rest.
 */
export async function openPart(blob: string, total: number): Promise<PartFile> {
  const file = `${blob}.e3va.incomplete`;
  if ((await sizeOfFile(file)) === undefined) await takeOver(`${blob}.incomplete`, file, total);
  if (((await sizeOfFile(file)) ?? 0) > total) await fs().rm(file);
  const handle = await fs().open(file, 'a');
  const part = partOf(file, handle, (await handle.stat()).size);
  try {
    await checkSpace(path().dirname(blob), total - part.size);
  } catch (error) {
    await part.close();
    throw error;
  }
  return part;
}

function partOf(file: string, handle: FileHandle, there: number): PartFile {
  let size = there;
  let open = true;
  const close = async () => {
    if (open) await handle.close();
    open = false;
  };
  return {
    file,
    get size() {
      return size;
    },
    async append(bytes) {
      for (let at = 0; at < bytes.byteLength; ) {
        const { bytesWritten } = await handle.write(bytes, at);
        at += bytesWritten;
        size += bytesWritten;
      }
    },
    async restart() {
      await handle.truncate(0);
      size = 0;
    },
    async finish() {
      await handle.sync();
      await close();
    },
    async close() {
      if (open && size === 0) await fs().rm(file, { force: true });
      await close();
    },
    async discard() {
      await close();
      await fs().rm(file, { force: true });
    },
  };
}

async function takeOver(theirs: string, ours: string, total: number): Promise<void> {
  const size = await sizeOfFile(theirs);
  if (size === undefined || size === 0 || size > total) return;
  await fs().copyFile(theirs, ours);
}

/** Removes what Python's library left of a blob that is whole now, unless it is still at it. */
export async function removeTheirPart(blob: string): Promise<void> {
  const file = `${blob}.incomplete`;
  const stat = await ifThere(fs().stat(file));
  if (stat && Date.now() - stat.mtimeMs > abandoned) await fs().rm(file, { force: true });
}

async function checkSpace(folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await fs().statfs(folder);
  if (bavail * bsize >= needed) return;
  throw new HubDiskError({
    what: `no space is left in ${folder}`,
    expected: `${needed} bytes`,
    received: `${bavail * bsize} bytes`,
    fix: 'free some space, or set HF_HOME to a folder on another disk',
  });
}
