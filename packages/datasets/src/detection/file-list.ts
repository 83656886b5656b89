import type { Dirent } from 'node:fs';
import { assertFolder } from '../assert-folder.ts';
import { FolderNotFoundError } from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import { nodeModule } from '../node.ts';

/** Deepest folder that is looked into. `VOCdevkit/VOC2012/ImageSets/Main` needs four. */
const maxDepth = 8;

/**
 * Paths of all files below a folder, joined by `/`, sorted. Hidden files and folders are left out. Links are followed, to
 * each folder once.
 *
 * @throws FolderNotFoundError
 */
export async function listFiles(directory: string): Promise<string[]> {
  const { readdir, realpath, stat } = nodeModule('node:fs/promises');
  const { join } = nodeModule('node:path');
  await assertFolder(directory);
  const files: string[] = [];
  const linked = async (entry: Dirent, path: string) =>
    entry.isSymbolicLink() ? await stat(join(directory, path)).catch(() => undefined) : entry;
  const visited = new Set<string>();
  const entriesOf = async (folder: string): Promise<Dirent[]> => {
    try {
      const real = await realpath(folder);
      if (visited.has(real)) return [];
      visited.add(real);
      return await readdir(folder, { withFileTypes: true });
    } catch (cause) {
      const what = `the folder ${folder} cannot be read: ${(cause as Error).message}`;
      throw new FolderNotFoundError({ what, fix: 'check that it may be read' }, { cause });
    }
  };
  const visit = async (prefix: string, depth: number): Promise<void> => {
    for (const entry of await entriesOf(join(directory, prefix))) {
      if (entry.name.startsWith('.') || entry.name === '__MACOSX') continue;
      const path = prefix + entry.name;
      const found = await linked(entry, path);
      if (found?.isFile()) files.push(path);
      else if (found?.isDirectory() && depth > 1) await visit(`${path}/`, depth - 1);
    }
  };
  await visit('', maxDepth);
  return files.sort();
}

/** The folder of a path, without a slash at its end; `''` for a file at the top. */
export const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')));

/** The last part of a path. */
export const baseOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** A path without the extension of its last part. */
export const stemOf = (path: string): string => path.replace(/\.[^./]*$/, '');

const splitWords = new Map<string, SplitName>([
  ['train', 'train'],
  ['training', 'train'],
  ['val', 'val'],
  ['valid', 'val'],
  ['validation', 'val'],
  ['dev', 'val'],
  ['test', 'test'],
  ['testing', 'test'],
]);

/** The split that a path names, such as `images/val2017/a.jpg` or `instances_train.json`. The last word counts. */
export function splitOfPath(path: string): SplitName | undefined {
  const words = path.toLowerCase().split(/[^a-z]+/);
  return words.map((word) => splitWords.get(word)).findLast((split) => split !== undefined);
}
