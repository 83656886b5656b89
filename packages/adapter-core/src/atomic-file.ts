import { E3vaError, requireNodeModule } from '@e3va/highway-grad';

/** A file could not be written; the file that was there before, if any, is untouched. */
export class FileWriteError extends E3vaError {}

/**
 * Writes a file so that a reader sees the old file or the whole new one, never a part: the bytes go to a temporary
 * name in the same folder, are flushed to the disk, and the file is renamed. Missing folders are made. Node only.
 *
 * @param path The file's final path.
 * @param bytes Its whole content; a string is written as UTF-8.
 * @throws {@link FileWriteError} if the disk is full, the folder is not writable, or the like; nothing is left behind.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  const { mkdir, open, rename, rm } = requireNodeModule('node:fs/promises');
  const { dirname } = requireNodeModule('node:path');
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new FileWriteError(
      { what: `cannot write ${path}`, ...reasonOf(cause as NodeJS.ErrnoException) },
      { cause },
    );
  }
}

function reasonOf(error: NodeJS.ErrnoException): { received: string; fix?: string } {
  const fixes: Record<string, [string, string]> = {
    ENOSPC: ['no space left on the disk', 'free some space or choose a folder on another disk'],
    EDQUOT: ['the disk quota is used up', 'free some space or choose a folder on another disk'],
    EACCES: ['permission denied', 'choose a folder that you may write to'],
    EPERM: ['permission denied', 'choose a folder that you may write to'],
    EROFS: ['the file system is read-only', 'choose a folder that you may write to'],
    EISDIR: ['a folder has this name', 'choose another file name'],
    ENOTDIR: ['a part of the path is a file', 'choose another path'],
  };
  const [received, fix] = fixes[error.code ?? ''] ?? [error.message, undefined];
  return { received, fix };
}
