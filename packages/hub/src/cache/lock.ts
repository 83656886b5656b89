import { HubCacheError } from '../errors.ts';
import { wait } from '../http/retry.ts';
import { codeOf, crypto, fs, os } from '../node.ts';
import { ifThere } from './file-errors.ts';

/** Milliseconds between two signs of life of a lock's owner. */
const beat = 2_000;

/** Milliseconds without a sign of life after which a lock is nobody's. */
const patience = 30_000;

/** Milliseconds between two looks at another's lock. */
const pause = 100;

/** A lock that is held. */
export interface FileLock {
  /**
   * Makes sure that the lock is still held: whoever slept for long, with the machine for instance, may have lost it.
   *
   * @throws {@link HubCacheError} if another process has taken it over.
   */
  check(): Promise<void>;
}

interface Owner {
  pid: number;
  host: string;
  /** Tells this lock from all others. */
  id: string;
}

/**
 * Runs something while no other process does: they wait. A lock whose owner is dead or gives no sign of life is taken over.
 *
 * @param file The lock: a file that is only there while it is held.
 */
export async function withLock<T>(
  file: string,
  run: (lock: FileLock) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const owner = { pid: process.pid, host: os().hostname(), id: crypto().randomUUID() };
  while (!(await created(file, owner))) {
    if (!(await removedStale(file))) await wait(pause, signal);
  }
  let seen = Date.now();
  const alive = async () => {
    if ((await ownerOf(file))?.id !== owner.id) throw taken(file);
    const now = new Date();
    await fs().utimes(file, now, now);
    seen = now.getTime();
  };
  const timer = setInterval(() => alive().catch(() => {}), beat);
  timer.unref();
  try {
    return await run({ check: async () => (Date.now() - seen < 2 * beat ? undefined : alive()) });
  } finally {
    clearInterval(timer);
    if ((await ownerOf(file))?.id === owner.id) await fs().rm(file, { force: true });
  }
}

async function created(file: string, owner: Owner): Promise<boolean> {
  try {
    await fs().writeFile(file, JSON.stringify(owner), { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** The owner that a lock names; undefined if there is no lock, or it is being written. */
async function ownerOf(file: string): Promise<Owner | undefined> {
  const text = await ifThere(fs().readFile(file, 'utf8'));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Owner);
  } catch {
    return undefined;
  }
}

/** Removes a lock whose owner is gone; false if it is alive, or another process was faster. */
async function removedStale(file: string): Promise<boolean> {
  const owner = await ownerOf(file);
  const stat = await ifThere(fs().stat(file));
  if (!stat) return true;
  if (Date.now() - stat.mtimeMs < patience && !(owner && isDead(owner))) return false;
  const aside = `${file}.${crypto().randomUUID()}`; // of two processes that come here, one gets the file
  try {
    await fs().rename(file, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    throw error;
  }
  const moved = await ownerOf(aside);
  if (moved?.id !== owner?.id)
    await fs()
      .link(aside, file)
      .catch(() => {}); // it was a new one: back again
  await fs().rm(aside, { force: true });
  return moved?.id === owner?.id;
}

/** Whether the process is one of this machine and no longer there. */
function isDead({ pid, host }: Owner): boolean {
  if (host !== os().hostname() || !Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return codeOf(error) === 'ESRCH';
  }
}

function taken(file: string): HubCacheError {
  return new HubCacheError({
    what: 'another process has taken over this download',
    received: `the lock ${file} is no longer this process's`,
    fix: 'run it again: it waits for the other process, and resumes where that ends',
  });
}
