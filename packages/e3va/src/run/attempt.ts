import { RunError } from '../errors.ts';

/** Runs a file operation; its failure becomes a {@link RunError} that says what was tried, why it failed, and what to do. */
export function attempt<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    const fix = full
      ? 'free some space, or choose a folder on another disk'
      : 'choose a folder that you may write to';
    throw new RunError({ what, received: (cause as Error).message, fix }, { cause });
  }
}
