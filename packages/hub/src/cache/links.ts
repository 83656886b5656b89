import { codeOf, crypto, fs, path } from '../node.ts';
import type { RepoCache } from './layout.ts';
import { knownCommit, sizeOfFile } from './layout.ts';

/** Lets a snapshot's file lead to its blob: a relative link, or a copy where the system makes no links. */
export async function linkSnapshot(file: string, blob: string): Promise<void> {
  const { dirname, relative } = path();
  if ((await sizeOfFile(file)) === (await sizeOfFile(blob))) return;
  await fs().mkdir(dirname(file), { recursive: true });
  await replacing(file, async (fresh) => {
    try {
      await fs().symlink(relative(dirname(file), blob), fresh);
    } catch (error) {
      if (!/^(EPERM|EACCES|ENOSYS|ENOTSUP|EOPNOTSUPP|EINVAL|UNKNOWN)$/.test(codeOf(error) ?? '')) throw error;
      await fs().copyFile(blob, fresh);
    }
  });
}

/** Notes the commit of a branch or tag. */
export async function noteCommit(cache: RepoCache, revision: string, commit: string): Promise<void> {
  if (revision === commit || (await knownCommit(cache, revision)) === commit) return;
  const file = cache.ref(revision);
  await fs().mkdir(path().dirname(file), { recursive: true });
  await replacing(file, (fresh) => fs().writeFile(fresh, commit));
}

/** Makes a file under a name of its own and moves it into place: others see the old or the new one, whole. */
async function replacing(file: string, make: (fresh: string) => Promise<void>): Promise<void> {
  const fresh = path().join(path().dirname(file), `.${crypto().randomUUID()}.new`);
  try {
    await make(fresh);
    await fs().rename(fresh, file);
  } catch (error) {
    await fs().rm(fresh, { force: true });
    throw error;
  }
}
