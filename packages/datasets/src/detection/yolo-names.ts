import { parseDocument } from 'yaml';
import { AnnotationFormatError, AnnotationSyntaxError } from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import { baseOf, folderOf } from './file-list.ts';
import { parseNumber } from './numbers.ts';
import type { Report } from './problems.ts';
import type { Reading } from './reading.ts';
import { maxFileBytes, readText } from './text-file.ts';

/** What the `data.yaml` of a YOLO data set says. */
export interface YoloYaml {
  file: string;
  names: Map<number, string>;
  /** Folders or lists of images, as written. */
  splits: Partial<Record<SplitName, string[]>>;
}

const splitKeys: Record<SplitName, string[]> = { train: ['train'], val: ['val', 'valid'], test: ['test'] };

/**
 * Reads the text of a `data.yaml`: `names` as a list or a map from number to name, `nc`, and `train`, `val`, `test`. Aliases are
 * bounded by the YAML reader.
 *
 * @param file Path for messages.
 * @returns `undefined` if it has no `names`, so that it is another YAML file.
 * @throws AnnotationSyntaxError, AnnotationFormatError for keypoints
 */
export function parseYoloYaml(text: string, file: string, report: Report): YoloYaml | undefined {
  const value = parseYaml(text, file);
  if (!(value instanceof Map) || !value.has('names')) return undefined;
  if (value.has('kpt_shape')) {
    throw new AnnotationFormatError(
      {
        what: 'describes keypoints (kpt_shape), which are not read',
        expected: 'labels with boxes or outlines',
        fix: 'export the data set for detection or segmentation',
      },
      { file },
    );
  }
  const names = namesOf(value.get('names'));
  const count = value.get('nc');
  if (typeof count === 'number' && count !== names.size) {
    report.warn({ file }, `nc is ${count}, but there are ${names.size} names`, 'the names count');
  }
  const splits: YoloYaml['splits'] = {};
  for (const split of ['train', 'val', 'test'] as const) {
    const given = splitKeys[split].map((key) => value.get(key)).find((v) => v !== undefined && v !== null);
    const paths = (Array.isArray(given) ? given : [given]).filter(
      (path): path is string => typeof path === 'string' && path !== '',
    );
    if (paths.length > 0) splits[split] = paths;
  }
  return { file, names, splits };
}

function parseYaml(text: string, file: string): unknown {
  try {
    const document = parseDocument(text, { schema: 'core', logLevel: 'silent' });
    const [error] = document.errors;
    if (!error) return document.toJS({ mapAsMap: true, maxAliasCount: 100 });
    throw invalid(file, error.message.split('\n')[0]!, error.linePos?.[0].line, error);
  } catch (cause) {
    if (cause instanceof AnnotationSyntaxError) throw cause;
    throw invalid(file, (cause as Error).message, undefined, cause);
  }
}

const invalid = (file: string, reason: string, line: number | undefined, cause: unknown) =>
  new AnnotationSyntaxError(
    {
      what: `is no valid YAML: ${reason.slice(0, 160)}`,
      expected: "a data.yaml such as names: ['cat', 'dog']",
      fix: 'correct it',
    },
    { file, line },
    { cause },
  );

function namesOf(names: unknown): Map<number, string> {
  const entries = names instanceof Map ? [...names] : Array.isArray(names) ? [...names.entries()] : [];
  const found = new Map<number, string>();
  for (const [key, name] of entries as [unknown, unknown][]) {
    const index = typeof key === 'number' ? key : parseNumber(String(key));
    const text =
      typeof name === 'string' || typeof name === 'number' || typeof name === 'boolean'
        ? String(name).trim()
        : '';
    if (Number.isInteger(index) && index >= 0) found.set(index, text || `class ${index}`);
  }
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** The `data.yaml` of a folder: the first YAML file with `names`, those nearest to the top first. */
export async function findYoloYaml({ files, path, report }: Reading): Promise<YoloYaml | undefined> {
  const depth = (file: string) => file.split('/').length;
  const yamls = files
    .filter((file) => /\.ya?ml$/i.test(file))
    .sort((a, b) => depth(a) - depth(b) || (a < b ? -1 : 1));
  for (const file of yamls.slice(0, 20)) {
    const found = await report.attempt(path(file), async () => {
      return parseYoloYaml(await readText(path(file), 1_000_000), path(file), report);
    });
    if (found) return { ...found, file };
  }
  return undefined;
}

/** One name a line, from `obj.names`, another `.names` file or `classes.txt`, those nearest to the labels first. */
export async function findNameList(
  { files, path, report, notes }: Reading,
  labels: readonly string[],
): Promise<Map<number, string> | undefined> {
  const folders = new Set(labels.map(folderOf));
  const lists = files.filter((file) =>
    /(\.names|\.labels|^classes\.txt|\/classes\.txt|^labels\.txt)$/i.test(file),
  );
  const file =
    lists.find((list) => folders.has(folderOf(list))) ?? lists.sort((a, b) => a.length - b.length)[0];
  if (file === undefined) return undefined;
  const text = await report.attempt(path(file), () => readText(path(file), maxFileBytes.text));
  if (text === undefined) return undefined;
  const names = text.split(/\r\n?|\n/).map((line) => line.trim());
  while (names.at(-1) === '') names.pop();
  notes.push(`Class names come from ${baseOf(file)}.`);
  return new Map(names.map((name, i) => [i, name || `class ${i}`]));
}
