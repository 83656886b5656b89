import { HubCacheError, HubDiskError } from '../errors.ts';
import { codeOf } from '../node.ts';

/** The error for what the file system refused; anything else stays as it is. */
export function fileError(cause: unknown, folder: string): unknown {
  const code = codeOf(cause);
  if (!(cause instanceof Error) || code === undefined || !/^E[A-Z]+$/.test(code)) return cause;
  if ((cause as NodeJS.ErrnoException).syscall === undefined) return cause;
  const received = cause.message;
  if (/^(ENOSPC|EDQUOT|EFBIG)$/.test(code)) {
    const fix = 'free some space, or set HF_HOME to a folder on another disk; what is here is resumed then';
    return new HubDiskError({ what: `no space is left in ${folder}`, received, fix }, { cause });
  }
  const fix = 'check the rights of the folder, or set HF_HOME to another';
  return new HubCacheError({ what: `the cache ${folder} cannot be used`, received, fix }, { cause });
}

/** What a promise of the file system gives, or undefined if there is no such file. */
export async function ifThere<T>(result: Promise<T>): Promise<T | undefined> {
  return result.catch((error) => {
    if (/^(ENOENT|ENOTDIR)$/.test(codeOf(error) ?? '')) return undefined;
    throw error;
  });
}
