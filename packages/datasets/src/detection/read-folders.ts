import { mapConcurrent } from '../concurrent.ts';
import type { SplitName } from '../layouts.ts';
import type { Draft, DraftImage } from './drafts.ts';
import { baseOf, stemOf } from './file-list.ts';
import { type LabelMeDraft, readLabelMe } from './labelme.ts';
import type { Place } from './problems.ts';
import type { Reading } from './reading.ts';
import type { AnnotationFile } from './recognise.ts';
import { maxFileBytes, readText } from './text-file.ts';
import { countsFromZero, readVoc, type VocDraft, vocBox } from './voc.ts';

type Splits = Draft['splits'];

/** Reads the VOC files of a folder: by the lists of `ImageSets/Main`, else by the folders they lie in. */
export async function readVocFolder(found: readonly AnnotationFile[], reading: Reading): Promise<Draft> {
  const lists = await imageSets(found, reading);
  const parts = lists ?? found.map(({ file, split }) => ({ file, split: split ?? ('train' as const) }));
  const drafts = await mapConcurrent(parts, 8, async ({ file, split }) => {
    const path = reading.path(file);
    return reading.report.attempt(path, async () => {
      const draft = readVoc(await readText(path, maxFileBytes.xml), path, reading.report);
      return { split, image: withImage(draft, draft.filename, file, split, reading) };
    });
  });
  const splits = splitsOf(drafts, parts, reading);
  countPixels(splits, reading);
  return { splits };
}

/** Turns the coordinates of VOC into edges. */
function countPixels(splits: Splits, { options, notes }: Reading): void {
  const objects = Object.values(splits).flatMap((images) => images.flatMap((image) => image.objects));
  const zero =
    options.firstPixel === undefined && countsFromZero(objects.flatMap(({ box }) => (box ? [box] : [])));
  if (zero)
    notes.push(
      'A box begins at 0, so pixels are taken to count from 0; firstPixel: 1 is for files that count from 1.',
    );
  for (const object of objects) {
    if (object.box) object.box = vocBox(object.box, options.firstPixel ?? (zero ? 0 : 1));
  }
}

/** The XML files that the lists of `ImageSets/Main` name, or `undefined` if there are no lists. */
async function imageSets(
  found: readonly AnnotationFile[],
  reading: Reading,
): Promise<{ file: string; split: SplitName }[] | undefined> {
  const lists = reading.files.flatMap((file) => {
    const match = /^((?:.*\/)?)ImageSets\/Main\/(train|val|test|trainval)\.txt$/i.exec(file);
    return match ? [{ file, root: match[1]!, list: match[2]!.toLowerCase() }] : [];
  });
  const usable = lists.filter(
    ({ list, root }) => list !== 'trainval' || !lists.some((l) => l.root === root && l.list === 'train'),
  );
  if (usable.length === 0) return undefined;
  const byPath = new Map(found.map(({ file }) => [stemOf(file).toLowerCase(), file]));
  const byName = new Map(found.map(({ file }) => [stemOf(baseOf(file)).toLowerCase(), file]));
  const xmlOf = (root: string, id: string) =>
    byPath.get(`${root}annotations/${id}`.toLowerCase()) ??
    (root === '' ? byName.get(id.toLowerCase()) : undefined);
  const chosen: { file: string; split: SplitName }[] = [];
  for (const { file, root, list } of usable) {
    const split = list === 'trainval' ? 'train' : (list as SplitName);
    const path = reading.path(file);
    const text = await reading.report.attempt(path, () => readText(path, maxFileBytes.text));
    for (const [i, line] of (text ?? '').split(/\r\n?|\n/).entries()) {
      const id = line.trim();
      if (id === '') continue;
      // A list of one class has 1 or -1 after the name.
      const xml = [id, id.split(/\s+/)[0]!, stemOf(id)]
        .map((name) => xmlOf(root, name))
        .find((hit) => hit !== undefined);
      if (xml !== undefined) chosen.push({ file: xml, split });
      else
        reading.report.warn(
          { file: path, line: i + 1 },
          `there are no annotations of ${id.slice(0, 80)}`,
          'left out',
        );
    }
  }
  const left = found.length - new Set(chosen.map(({ file }) => file)).size;
  if (left > 0) reading.notes.push(`XML files in no list of ImageSets/Main: ${left}.`);
  return chosen;
}

/** Reads the LabelMe files of a folder. */
export async function readLabelMeFolder(found: readonly AnnotationFile[], reading: Reading): Promise<Draft> {
  const parts = found.map(({ file, split }) => ({ file, split: split ?? ('train' as const) }));
  const drafts = await mapConcurrent(parts, 4, async ({ file, split }) => {
    const path = reading.path(file);
    return reading.report.attempt(path, async () => {
      const draft = readLabelMe(await readText(path, maxFileBytes.labelme), path, reading.report);
      return { split, image: withImage(draft, draft.imagePath, file, split, reading) };
    });
  });
  return { splits: splitsOf(drafts, parts, reading) };
}

/** The image of an annotation file: the one with its name, else the one it names. */
function withImage(
  draft: VocDraft | LabelMeDraft,
  named: string | undefined,
  from: string,
  split: SplitName,
  { images, report }: Reading,
): DraftImage | undefined {
  const wanted = { from, split };
  const stem = stemOf(baseOf(from));
  const file = images.withStem(stem, wanted) ?? images.find(named ?? stem, wanted, draft.place, report);
  return file === undefined ? undefined : { ...draft, file };
}

/** Images by split. A split with files but no usable image stays, empty. */
function splitsOf(
  drafts: readonly ({ split: SplitName; image: DraftImage | undefined } | undefined)[],
  parts: readonly { split: SplitName }[],
  { report }: Reading,
): Splits {
  const splits: Splits = {};
  const first = new Map<string, Place>();
  for (const { split } of parts) splits[split] ??= [];
  for (const draft of drafts) {
    if (!draft?.image) continue;
    const { split, image } = draft;
    const key = `${split} ${image.file}`;
    const twin = first.get(key);
    if (twin)
      report.warn(image.place, `${image.file} has annotations in ${twin.file} already`, 'these were dropped');
    else splits[split]!.push(image);
    first.set(key, twin ?? image.place);
  }
  return splits;
}
