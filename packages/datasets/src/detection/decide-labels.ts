import { isList, readClassNames } from '../class-names.ts';
import { ClassNamesError } from '../errors.ts';
import type { Draft, DraftCategory } from './drafts.ts';
import type { DetectionFormat } from './options.ts';
import type { Reading } from './reading.ts';

/** The classes of a data set and what the files call them. */
export interface Labels {
  classes: string[];
  categoryIds: number[];
  /** Label of what objects say. */
  labelOf: Map<string | number, number>;
  /** Whether classes were chosen by the caller: other objects are then left out without a word. */
  chosen: boolean;
}

/** Names that files list beside the classes. */
const noClass = /^(__ignore__|__?background__?)$/;

/**
 * Decides on the classes: those of the options, else those that the annotations declare, else a file in the folder, else all
 * names that occur, sorted.
 *
 * @throws ClassNamesError
 */
export async function decideLabels(draft: Draft, format: DetectionFormat, reading: Reading): Promise<Labels> {
  const { options } = reading;
  const chosen = options.classes !== undefined;
  if (options.classes) checkNames(options.classes);
  const declared = draft.categories ?? (await namedCategories(draft, reading));
  const categories =
    chosen && format !== 'yolo' ? pick(options.classes!, declared, draft.categories !== undefined) : declared;
  if (categories.length === 0) {
    throw new ClassNamesError({
      what: `no class is known in ${reading.directory}`,
      expected:
        'at least one class that the annotations, a file such as classes.txt, or the option classes names',
      received: 'none',
      fix: "pass classes: ['…'], or check that the annotations hold objects",
    });
  }
  return {
    classes: categories.map(({ name }) => name),
    categoryIds: categories.map(({ id }, i) => id ?? i + 1),
    labelOf: new Map(categories.map(({ key }, label) => [key, label])),
    chosen,
  };
}

/** Classes of files that name them with every object. */
async function namedCategories(
  draft: Draft,
  { directory, options, notes }: Reading,
): Promise<DraftCategory[]> {
  const used = new Set<string>();
  for (const images of Object.values(draft.splits)) {
    for (const { objects } of images) {
      for (const { category } of objects) if (typeof category === 'string') used.add(category);
    }
  }
  const fromFile = options.classes ? undefined : await readClassNames(directory);
  const listed = fromFile && (isList(fromFile.names) ? [...fromFile.names] : Object.values(fromFile.names));
  if (fromFile) notes.push(`Class names come from ${fromFile.file}.`);
  const names = listed?.map((name) => name.trim()).filter((name) => name !== '' && !noClass.test(name));
  return (names ?? [...used].sort()).map((name) => ({ key: name, name }));
}

function pick(
  names: readonly string[],
  declared: readonly DraftCategory[],
  closed: boolean,
): DraftCategory[] {
  return names.map((name) => {
    const found = declared.find((category) => category.name === name);
    if (found) return found;
    if (!closed) return { key: name, name };
    throw new ClassNamesError({
      what: `the annotations have no class '${name}'`,
      expected: `names out of ${declared
        .map((category) => category.name)
        .join(', ')
        .slice(0, 400)}`,
      received: `'${name}'`,
    });
  });
}

function checkNames(names: readonly string[]): void {
  const bad = names.find(
    (name, i) => typeof name !== 'string' || name.trim() === '' || names.indexOf(name) !== i,
  );
  if (bad === undefined) return;
  throw new ClassNamesError({
    what: 'a class name is empty or stands twice',
    expected: 'different names',
    received: JSON.stringify(bad),
  });
}
