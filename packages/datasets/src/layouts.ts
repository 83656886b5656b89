import { assertFolder } from './assert-folder.ts';
import { UnknownLayoutError } from './errors.ts';
import { nodeModule } from './node.ts';

/** The parts a data set may have. */
export type SplitName = 'train' | 'val' | 'test';

/** The arrangements of folders that are recognised. */
export type LayoutName = 'segnet' | 'ade20k' | 'folders';

/** Where the images and masks of one split lie. */
export interface SplitFolders {
  images: string;
  masks: string;
}

/** What was recognised in a data folder. */
export interface FoundLayout {
  name: LayoutName;
  /** Folders of each split that has them. */
  splits: Partial<Record<SplitName, SplitFolders>>;
}

const splitFolders: Record<SplitName, string[]> = {
  train: ['train', 'training'],
  val: ['val', 'valid', 'validation'],
  test: ['test', 'testing'],
};
const imageFolders = ['images', 'image', 'imgs', 'img_dir'];
const maskFolders = ['masks', 'mask', 'annotations', 'labels', 'ann_dir'];

/** The folders below the data folder, joined by `/`: name in lower case → name as written on disk. */
type Tree = Map<string, string>;

/** Each layout looks for the folders of one split. Earlier ones win. */
const layouts: { name: LayoutName; find(tree: Tree, split: SplitName): SplitFolders | undefined }[] = [
  {
    name: 'segnet',
    find: (tree, split) => firstPair(tree, splitFolders[split], (folder) => [folder, `${folder}annot`]),
  },
  {
    name: 'ade20k',
    find: (tree, split) =>
      firstPair(tree, splitFolders[split].slice(-1), (folder) => [
        `images/${folder}`,
        `annotations/${folder}`,
      ]),
  },
  {
    name: 'folders',
    find: (tree, split) =>
      firstPair(tree, product(imageFolders, maskFolders, splitFolders[split]), ([image, mask, folder]) => [
        `${image}/${folder}`,
        `${mask}/${folder}`,
      ]) ??
      firstPair(tree, product(imageFolders, maskFolders, splitFolders[split]), ([image, mask, folder]) => [
        `${folder}/${image}`,
        `${folder}/${mask}`,
      ]) ??
      (split === 'train'
        ? firstPair(tree, product(imageFolders, maskFolders, ['']), ([image, mask]) => [image, mask])
        : undefined),
  },
];

/**
 * Recognises how a data folder is arranged, by the names of its folders.
 *
 * @throws FolderNotFoundError if there is no such folder.
 * @throws UnknownLayoutError if it is arranged in no known way.
 */
export async function findLayout(directory: string): Promise<FoundLayout> {
  const tree = await readTree(directory);
  const found = matchLayout(tree);
  if (found) return found;
  const nested = [...tree].find(([key]) => !key.includes('/') && matchLayout(below(tree, key)))?.[1];
  const held = await contents(directory);
  throw new UnknownLayoutError({
    what: `${directory} is arranged in no known way`,
    expected:
      'train/ and trainannot/ (also val, test); images/training and annotations/training (also validation); ' +
      'or images/ and masks/, with or without train/ and val/ inside',
    received: held,
    fix:
      nested !== undefined
        ? `open its folder ${nested}/ instead`
        : 'rename or link the folders; each mask has the name of its image',
  });
}

function matchLayout(tree: Tree): FoundLayout | undefined {
  for (const { name, find } of layouts) {
    const train = find(tree, 'train');
    if (!train) continue;
    const [val, test] = [find(tree, 'val'), find(tree, 'test')];
    return { name, splits: { train, ...(val && { val }), ...(test && { test }) } };
  }
  return undefined;
}

/** All folders up to three levels deep: the layouts need two, the hint for a nested data set one more. */
async function readTree(directory: string): Promise<Tree> {
  const { readdir, stat } = nodeModule('node:fs/promises');
  const { join } = nodeModule('node:path');
  await assertFolder(directory);
  const tree: Tree = new Map();
  const visit = async (prefix: string, depth: number): Promise<void> => {
    for (const entry of await readdir(join(directory, prefix), { withFileTypes: true })) {
      const name = prefix ? `${prefix}/${entry.name}` : entry.name;
      const folder =
        entry.isDirectory() ||
        (entry.isSymbolicLink() && (await stat(join(directory, name)).catch(() => undefined))?.isDirectory());
      if (!folder || entry.name.startsWith('.')) continue;
      tree.set(name.toLowerCase(), name);
      if (depth > 1) await visit(name, depth - 1);
    }
  };
  await visit('', 3);
  return tree;
}

/** The part of a tree below one of its folders. */
function below(tree: Tree, folder: string): Tree {
  const inside = [...tree].filter(([key]) => key.startsWith(`${folder}/`));
  return new Map(inside.map(([key, name]) => [key.slice(folder.length + 1), name.slice(folder.length + 1)]));
}

async function contents(directory: string): Promise<string> {
  const entries = await nodeModule('node:fs/promises').readdir(directory, { withFileTypes: true });
  const names = entries.map((e) => (e.isDirectory() ? `${e.name}/` : e.name)).sort();
  const shown = names.slice(0, 12).join(', ') + (names.length > 12 ? `, … (${names.length} in all)` : '');
  return shown || 'an empty folder';
}

function firstPair<T>(
  tree: Tree,
  candidates: readonly T[],
  folders: (candidate: T) => readonly [string, string],
): SplitFolders | undefined {
  for (const candidate of candidates) {
    const [images, masks] = folders(candidate).map((folder) => tree.get(folder));
    if (images !== undefined && masks !== undefined) return { images, masks };
  }
  return undefined;
}

function product(a: string[], b: string[], c: string[]): [string, string, string][] {
  return a.flatMap((x) => b.flatMap((y) => c.map((z): [string, string, string] => [x, y, z])));
}
