import { ClassNamesError, OptionError } from './errors.ts';
import { nodeModule } from './node.ts';

/**
 * Names of the classes: a list (the position is the mask value), or a map from mask value to name where values have
 * gaps. A name such as `void`, `unlabeled` or `ignore` makes its value an ignored one; the others become the classes
 * 0, 1, 2 … in order of their values.
 */
export type ClassNames = readonly string[] | Readonly<Record<number | string, string>>;

/** Classes and the mask values they have. */
export interface ClassTable {
  /** Name of each class, by label. */
  names: string[];
  /** Label of each mask value that is a class. */
  labelOf: Map<number, number>;
  /** Mask values that are ignored. */
  ignored: Set<number>;
}

/** Whether the name of a class means that its pixels are not labelled. */
export const isIgnoredName = (name: string) => /^(void|unlabell?ed|ignored?)$/i.test(name.trim());

/** Changes of a {@link ClassNames} on its way to a table. */
export interface ClassTableOptions {
  /** Whether value 0 is ignored and value v stands for the name v - 1 of a list. */
  reduceZeroLabel?: boolean;
  /** Values that are ignored, whatever their name. */
  ignored?: Iterable<number>;
}

/** Whether class names are a list, not a map. */
export const isList = (names: ClassNames): names is readonly string[] => Array.isArray(names);

/**
 * The table of a list or a map of names.
 *
 * @throws ClassNamesError if there is no usable class.
 * @throws OptionError if a map comes with `reduceZeroLabel`.
 */
export function classTable(
  given: ClassNames,
  { reduceZeroLabel = false, ignored = [] }: ClassTableOptions = {},
): ClassTable {
  const first = reduceZeroLabel ? 1 : 0;
  if (reduceZeroLabel && !isList(given)) {
    throw new OptionError({
      what: 'reduceZeroLabel shifts a list of class names; with a map from value to name it has no meaning',
      fix: "leave it out, and name the value 0 'void' in the map if it is unlabelled",
    });
  }
  const table: ClassTable = { names: [], labelOf: new Map(), ignored: new Set(ignored) };
  if (reduceZeroLabel) table.ignored.add(0);
  const entries = isList(given) ? given.map((name, i) => [i + first, name] as const) : idsOf(given);
  for (const [value, name] of entries) {
    if (typeof name !== 'string' || name.trim() === '') {
      throw new ClassNamesError({
        what: `the class of mask value ${value} has no name`,
        received: JSON.stringify(name),
      });
    }
    if (isIgnoredName(name)) table.ignored.add(value);
    if (!table.ignored.has(value)) {
      table.labelOf.set(value, table.names.length);
      table.names.push(name.trim());
    }
  }
  if (table.names.length === 0) {
    throw new ClassNamesError({ what: 'there is no class', expected: 'at least one name', received: 'none' });
  }
  return table;
}

function idsOf(map: Readonly<Record<string, string>>): (readonly [number, string])[] {
  const entries = Object.entries(map).map(([key, name]) => [Number(key), name] as const);
  const bad = Object.keys(map).find((key) => !/^\d+$/.test(key) || Number(key) > 65535);
  if (bad !== undefined) {
    throw new ClassNamesError({
      what: `'${bad}' is no mask value`,
      expected: 'a map from mask value (0..65535) to class name',
      received: `the key '${bad}'`,
    });
  }
  return entries.sort(([a], [b]) => a - b);
}

/** Files in the data folder that may hold class names, in order of preference. */
const classFiles = ['classes.json', 'classes.txt', 'class_names.txt', 'labels.txt', 'objectInfo150.txt'];

/**
 * The class names a data folder brings along, or `undefined` if it has no such file.
 *
 * `classes.json` holds a list or a map from value to name; `classes.txt`, `class_names.txt` and `labels.txt` one name a
 * line; `objectInfo150.txt` is ADE20K's table.
 *
 * @throws ClassNamesError if the file cannot be understood.
 */
export async function readClassNames(
  directory: string,
): Promise<{ names: ClassNames; file: string } | undefined> {
  const { readFile, readdir } = nodeModule('node:fs/promises');
  const { join } = nodeModule('node:path');
  const present = await readdir(directory);
  const file = classFiles.find((name) => present.includes(name));
  if (file === undefined) return undefined;
  const text = (await readFile(join(directory, file), 'utf8')).replace(/^\uFEFF/, '');
  if (file.endsWith('.json')) return { names: parseJsonNames(text, join(directory, file)), file };
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (file !== 'objectInfo150.txt') return { names: lines.map((line) => line.trim()), file };
  // The first line holds headings; the last column the name with its synonyms.
  return { names: lines.slice(1).map((line) => line.split('\t').at(-1)!.split(',')[0]!.trim()), file };
}

function parseJsonNames(text: string, file: string): ClassNames {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ClassNamesError({ what: `${file} is no JSON: ${(cause as Error).message}` }, { cause });
  }
  const usable = typeof value === 'object' && value !== null;
  if (!usable || !Object.values(value as object).every((name) => typeof name === 'string')) {
    throw new ClassNamesError({
      what: `${file} holds no class names`,
      expected: `a list of names, or a map such as { "0": "unlabeled", "7": "road" }`,
      received: text.slice(0, 60),
    });
  }
  return value as ClassNames;
}
