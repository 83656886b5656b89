import { AmbiguousLayoutError } from '../errors.ts';
import { readCoco } from './coco.ts';
import type { Draft, DraftCategory } from './drafts.ts';
import type { Reading } from './reading.ts';
import { type AnnotationFile, groupBy } from './recognise.ts';
import { maxFileBytes, readText } from './text-file.ts';

type Splits = Draft['splits'];

/** Reads the COCO files of a folder, one a split. */
export async function readCocoFolder(found: readonly AnnotationFile[], reading: Reading): Promise<Draft> {
  const { report, notes } = reading;
  const splits: Splits = {};
  const categories = new Map<string | number, DraftCategory & { parent?: string | undefined }>();
  for (const { file, split } of onePerSplit(found, reading)) {
    const path = reading.path(file);
    await report.attempt(path, async () => {
      const text = await readText(path, maxFileBytes.json);
      const read = readCoco(text, { file: path, from: file, split }, reading.images, report);
      for (const category of read.categories) {
        const twin = categories.get(category.key);
        if (twin && twin.name !== category.name) {
          report.warn(
            { file: path },
            `the category ${category.key} is '${category.name}' here and '${twin.name}' in another file`,
            `'${twin.name}' was kept`,
          );
        }
        if (!twin) categories.set(category.key, category);
      }
      splits[split ?? 'train'] = read.images;
    });
  }
  const sorted = [...categories.values()].sort((a, b) => a.id! - b.id!);
  for (const [name, twins] of groupBy(sorted, (category) => category.name)) {
    if (twins.length > 1)
      notes.push(`${twins.length} categories are named '${name}': each is a class of its own.`);
  }
  return { splits, categories: withoutParent(sorted, splits, notes) };
}

/** One file for each split; those of no split only where there is no other for training. */
function onePerSplit(found: readonly AnnotationFile[], { directory, notes }: Reading): AnnotationFile[] {
  const chosen: AnnotationFile[] = [];
  const groups = groupBy(found, ({ split }) => split);
  const unnamed = groups.get(undefined);
  if (unnamed && groups.has('train')) {
    notes.push(`Not read, as no split is named: ${unnamed.map(({ file }) => file).join(', ')}.`);
    groups.delete(undefined);
  }
  for (const [split, files] of groups) {
    if (files.length > 1) {
      throw new AmbiguousLayoutError({
        what: `${directory} holds ${files.length} annotation files for ${split === undefined ? 'the images' : `the split '${split}'`}`,
        expected: 'one',
        received:
          files
            .slice(0, 5)
            .map(({ file }) => file)
            .join(', ') + (files.length > 5 ? ', …' : ''),
        fix: "pass annotations: { train: '…', val: '…' } with their paths",
      });
    }
    chosen.push(files[0]!);
  }
  return chosen;
}

/** Roboflow writes the name of the project as category 0, parent of all others, which no object has. */
function withoutParent(
  categories: (DraftCategory & { parent?: string | undefined })[],
  splits: Splits,
  notes: string[],
): DraftCategory[] {
  const [first, ...others] = categories;
  const isParent = first && others.length > 0 && others.every(({ parent }) => parent === first.name);
  const used = Object.values(splits).some((images) =>
    images.some(({ objects }) => objects.some(({ category }) => category === first?.key)),
  );
  if (!isParent || used) return categories;
  notes.push(`The category '${first.name}', parent of all others, has no object and is no class.`);
  return others;
}
