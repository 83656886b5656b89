import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/** A folder of the shared data beside the repository, or `undefined`, which is said aloud. */
export function sharedData(folder: string): string | undefined {
  const path = root + folder;
  if (existsSync(path)) return path;
  console.warn(`SKIPPED: ../shared/data/${folder} is missing, so the tests on it do not run`);
  return undefined;
}
