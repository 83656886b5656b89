import { mapConcurrent } from '../concurrent.ts';
import type { SplitName } from '../layouts.ts';
import type { Draft, DraftCategory, DraftImage } from './drafts.ts';
import { baseOf, folderOf, splitOfPath, stemOf } from './file-list.ts';
import { ImageIndex } from './image-index.ts';
import type { Reading } from './reading.ts';
import { type AnnotationFile, groupBy } from './recognise.ts';
import { maxFileBytes, readText } from './text-file.ts';
import { readYolo, type YoloLines } from './yolo.ts';
import { findNameList, findYoloYaml, type YoloYaml } from './yolo-names.ts';

/**
 * Reads the label files of a YOLO folder. Splits are those of `data.yaml`, else those the folders name. An image without a
 * label file has no object.
 */
export async function readYoloFolder(found: readonly AnnotationFile[], reading: Reading): Promise<Draft> {
  const { report, notes } = reading;
  const yaml = await findYoloYaml(reading);
  const images = await imagesOfSplits(found, yaml, reading);
  const labels = new LabelIndex(found);
  const lines: YoloLines = { boxes: 0, outlines: 0, quadrilaterals: 0, confidences: 0 };
  const splits: Draft['splits'] = {};
  let without = 0;
  for (const [split, files] of images) {
    const drafts = await mapConcurrent(files, 8, async (file) => {
      const label = labels.of(file, split);
      if (label === undefined) without++;
      return draftImage(file, label, lines, reading);
    });
    splits[split] = drafts.filter((draft) => draft !== undefined);
  }
  for (const orphan of labels.unused()) {
    const wanted = { from: orphan, split: splitOfPath(folderOf(orphan)) };
    if (reading.images.withStem(stemOf(baseOf(orphan)), wanted) === undefined) {
      report.missing({ file: reading.path(orphan) }, `of ${baseOf(orphan)}`);
    }
  }
  if (without > 0) notes.push(`Images without a label file, taken as empty: ${without}.`);
  if (lines.outlines > 0 && lines.quadrilaterals === lines.outlines) {
    notes.push('Every outline has four points: if they are oriented boxes, they are used as outlines.');
  }
  return { splits, categories: await categoriesOf(found, yaml, splits, reading) };
}

async function draftImage(
  file: string,
  label: string | undefined,
  lines: YoloLines,
  { path, report }: Reading,
): Promise<DraftImage | undefined> {
  const draft: DraftImage = {
    file,
    sized: false,
    fractions: true,
    objects: [],
    place: { file: path(label ?? file) },
  };
  if (label === undefined) return draft;
  return report.attempt(path(label), async () => {
    const text = await readText(path(label), maxFileBytes.text, { empty: true });
    return { ...draft, objects: readYolo(text, path(label), lines, report) };
  });
}

/** The images of each split: what `data.yaml` names, else all that lie beside labels or in a folder of images. */
async function imagesOfSplits(
  found: readonly AnnotationFile[],
  yaml: YoloYaml | undefined,
  reading: Reading,
): Promise<Map<SplitName, string[]>> {
  const { images, options, notes } = reading;
  if (yaml && options.annotations === undefined) {
    const named = new Map<SplitName, string[]>();
    for (const [split, paths] of Object.entries(yaml.splits)) {
      const files = (await Promise.all(paths.map((path) => imagesOf(path, yaml.file, reading)))).flat();
      if (files.length > 0) named.set(split as SplitName, [...new Set(files)].sort());
      else if (split !== 'test')
        notes.push(`${yaml.file} names ${paths.join(', ')} for '${split}', where no image is.`);
    }
    if (named.has('train')) return named;
  }
  const labels = new LabelIndex(found);
  const labelled = images.files.filter((file) => labels.of(file, splitOfPath(folderOf(file))) !== undefined);
  const folders = new Set(labelled.map(folderOf));
  const used = images.files.filter((file) => folders.has(folderOf(file)));
  return groupBy(used, (file) => splitOfPath(folderOf(file)) ?? 'train');
}

/**
 * The images below a folder, or in a list file, of `data.yaml`. Such paths are often written for another folder: leading parts
 * that do not exist here are left out, but never the one that names the split.
 */
async function imagesOf(
  given: string,
  yaml: string,
  { files, images, path, report }: Reading,
): Promise<string[]> {
  const parts = given
    .replaceAll('\\', '/')
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..');
  const home = folderOf(yaml);
  const split = splitOfPath(parts.join('/'));
  for (let skip = 0; skip < parts.length && splitOfPath(parts.slice(skip).join('/')) === split; skip++) {
    const tail = [...(home === '' ? [] : [home]), ...parts.slice(skip)].join('/');
    const inside = images.files.filter((file) => file.startsWith(`${tail}/`));
    if (inside.length > 0) return inside;
    if (!files.includes(tail) || !/\.txt$/i.test(tail)) continue;
    const text = await report.attempt(path(tail), () => readText(path(tail), maxFileBytes.text));
    const wanted = { from: tail, split };
    const lines = (text ?? '').split(/\r\n?|\n/).map((line) => line.trim());
    return lines.flatMap((line) => {
      const name = line
        .replaceAll('\\', '/')
        .split('/')
        .filter((part) => part !== '.' && part !== '..')
        .join('/');
      return ImageIndex.isImage(name) ? (images.withTail(name, wanted) ?? []) : [];
    });
  }
  return [];
}

/** Label files by the name of their image. */
class LabelIndex {
  readonly #byStem: Map<string, AnnotationFile[]>;
  readonly #used = new Set<string>();
  readonly #files: readonly AnnotationFile[];

  constructor(files: readonly AnnotationFile[]) {
    this.#files = files;
    this.#byStem = groupBy(files, ({ file }) => stemOf(baseOf(file)).normalize('NFC'));
  }

  /** The label file of an image: in the `labels` folder that answers to its `images` folder, beside it, or of its split. */
  of(image: string, split: SplitName | undefined): string | undefined {
    const fitting = this.#byStem.get(stemOf(baseOf(image)).normalize('NFC')) ?? [];
    const label = `${stemOf(`/${image}`).replace(/^(.*)\/images\//, '$1/labels/')}.txt`.slice(1);
    const found =
      fitting.find(({ file }) => file === label) ??
      fitting.find(({ file }) => folderOf(file) === folderOf(image)) ??
      fitting.find((other) => split === undefined || other.split === undefined || other.split === split);
    if (found) this.#used.add(found.file);
    return found?.file;
  }

  /** Label files that {@link of} never gave. */
  unused(): string[] {
    return this.#files.map(({ file }) => file).filter((file) => !this.#used.has(file));
  }
}

/** The classes by number: from the options, `data.yaml`, a list of names, else counted. */
async function categoriesOf(
  found: readonly AnnotationFile[],
  yaml: YoloYaml | undefined,
  splits: Draft['splits'],
  reading: Reading,
): Promise<DraftCategory[]> {
  const { options, notes } = reading;
  const given = options.classes && new Map(options.classes.entries());
  if (yaml && !given) notes.push(`Class names come from ${yaml.file}.`);
  const names =
    given ??
    yaml?.names ??
    (await findNameList(
      reading,
      found.map(({ file }) => file),
    ));
  if (names) return [...names].map(([key, name]) => ({ key, name }));
  let highest = -1;
  for (const images of Object.values(splits)) {
    for (const { objects } of images) {
      for (const { category } of objects)
        if (Number.isInteger(category)) highest = Math.max(highest, category as number);
    }
  }
  if (highest < 1000) notes.push(`No class names were found: the labels hold ${highest + 1} classes.`);
  const count = highest < 1000 ? highest + 1 : 0;
  return Array.from({ length: count }, (_, key) => ({ key, name: `class ${key}` }));
}
