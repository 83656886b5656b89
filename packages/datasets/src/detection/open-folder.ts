import type { CocoDataset } from '@e3va/metrics';
import { EmptyDatasetError, UnknownSplitError } from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import { nodeModule } from '../node.ts';
import { splitByName } from '../split-by-name.ts';
import { decideLabels, type Labels } from './decide-labels.ts';
import { detectionSplit } from './detection-split.ts';
import type { Draft } from './drafts.ts';
import { folderOf, listFiles } from './file-list.ts';
import { ImageIndex } from './image-index.ts';
import type { DetectionFolderOptions, DetectionFormat } from './options.ts';
import { byPlace, type DataProblem, type Report, shownProblem } from './problems.ts';
import { readCocoFolder } from './read-coco-folder.ts';
import { readLabelMeFolder, readVocFolder } from './read-folders.ts';
import { readYoloFolder } from './read-yolo-folder.ts';
import type { Reading } from './reading.ts';
import { type AnnotationFile, recognise } from './recognise.ts';
import type { DetectionSplit } from './sample.ts';
import { type Counts, noteSharedImages, type SettledImage, settleSplit } from './settle-split.ts';
import { cocoDataset } from './to-coco.ts';

/** A detection data set in a folder. {@link openDetectionFolder} makes it. */
export interface DetectionFolder {
  /** The folder. */
  readonly directory: string;
  /** The form of its annotations. */
  readonly format: DetectionFormat;
  /** Name of each class, by label. */
  readonly classes: readonly string[];
  /** `category_id` of each label: as in the COCO files, else from 1. */
  readonly categoryIds: readonly number[];
  /** The splits there are. */
  readonly splits: readonly SplitName[];
  /** What was decided without being asked, in one sentence each, for the log. */
  readonly notes: readonly string[];
  /** Everything in the annotations that was repaired or left out. */
  readonly problems: readonly DataProblem[];
  /**
   * One split.
   *
   * @throws UnknownSplitError if there is none of that name.
   */
  split(name: SplitName): DetectionSplit;
  /**
   * The ground truth of a split for `cocoEvaluate` of `@e3va/metrics`.
   *
   * @throws UnknownSplitError if there is none of that name.
   */
  toCoco(name: SplitName): CocoDataset;
}

const readers: Record<DetectionFormat, (files: AnnotationFile[], reading: Reading) => Promise<Draft>> = {
  coco: readCocoFolder,
  voc: readVocFolder,
  yolo: readYoloFolder,
  labelme: readLabelMeFolder,
};

/**
 * Opens a folder; what is wrong goes to `report`, which may throw it. The rules are those of {@link openDetectionFolder}.
 */
export async function openFolder(
  directory: string,
  options: DetectionFolderOptions,
  report: Report,
): Promise<DetectionFolder> {
  const { join } = nodeModule('node:path');
  const files = await listFiles(directory);
  const notes: string[] = [];
  const images = new ImageIndex(files);
  const path = (file: string) => join(directory, file);
  const reading: Reading = { directory, files, images, options, report, notes, path };
  const { format, files: found } = await recognise(reading);
  const draft = await readers[format](found, reading);
  report.throwMissing();
  if (Object.values(draft.splits).every((drafts) => drafts.length === 0)) throw noImages(reading);
  noteUnused(draft, reading);
  const labels = await decideLabels(draft, format, reading);
  const settled = await settleSplits(draft, labels, reading);
  noteSharedImages(settled, reading);
  const splits = withValidation(settled, reading);
  report.problems.sort(byPlace);
  if (report.problems.length > 0) notes.push(summary(report.problems));
  const { classes, categoryIds } = labels;
  const get = (name: SplitName) => splits.get(name) ?? unknownSplit(directory, name, splits);
  return {
    directory,
    format,
    classes,
    categoryIds,
    splits: [...splits.keys()],
    notes,
    problems: report.problems,
    split: (name) => detectionSplit(get(name), options),
    toCoco: (name) => cocoDataset(get(name), labels),
  };
}

/** Counts the images beside annotated ones that no annotation names. */
function noteUnused({ splits }: Draft, { images, notes }: Reading): void {
  const used = new Set(Object.values(splits).flatMap((drafts) => drafts.map(({ file }) => file)));
  const folders = new Set([...used].map(folderOf));
  const unused = images.files.filter((file) => folders.has(folderOf(file)) && !used.has(file));
  if (unused.length > 0)
    notes.push(`Images without annotations, left out: ${unused.length}, such as ${unused[0]}.`);
}

type Splits = Map<SplitName, SettledImage[]>;

async function settleSplits(draft: Draft, labels: Labels, reading: Reading): Promise<Splits> {
  const counts: Counts = { images: 0, objects: 0, otherClasses: 0 };
  const splits: Splits = new Map();
  for (const name of ['train', 'val', 'test'] as const) {
    const drafts = draft.splits[name];
    if (drafts && drafts.length > 0) splits.set(name, await settleSplit(drafts, labels, counts, reading));
  }
  const { notes, report, directory } = reading;
  if (counts.otherClasses > 0) notes.push(`Objects of other classes, left out: ${counts.otherClasses}.`);
  if (counts.objects > 0) return splits;
  const first = report.problems.sort(byPlace)[0];
  throw new EmptyDatasetError({
    what: `${directory} holds no object that can be used, in ${counts.images} images`,
    expected: 'at least one box or outline of a known class',
    received: first
      ? `${report.problems.length} problems; the first: ${shownProblem(first)}`
      : 'images without objects',
    fix: 'check that the annotations belong to these images',
  });
}

/** Splits the training images where there is no validation split. */
function withValidation(splits: Splits, { options, notes }: Reading): Splits {
  const train = splits.get('train');
  const fraction = options.valFraction ?? 0.2;
  if (!train || splits.has('val') || fraction === 0) return splits;
  if (train.length < 2) {
    notes.push('There is no validation split, and only one image.');
    return splits;
  }
  const parts = splitByName(train, fraction, options.seed ?? 0);
  notes.push(
    `There is no validation split: ${parts.val.length} of ${train.length} images were set apart for it.`,
  );
  const test = splits.get('test');
  return new Map([...Object.entries(parts), ...(test ? [['test', test]] : [])] as [
    SplitName,
    SettledImage[],
  ][]);
}

function summary(problems: readonly DataProblem[]): string {
  const actions = new Map<string, number>();
  for (const { severity, action } of problems) {
    const key =
      severity === 'error' ? 'errors' : (/^(dropped|clipped)/.exec(action)?.[1] ?? 'repaired or left out');
    actions.set(key, (actions.get(key) ?? 0) + 1);
  }
  const counts = [...actions].map(([action, count]) => `${count} ${action}`).join(', ');
  return `Annotations with problems: ${counts}; the first: ${shownProblem(problems[0]!)}.`;
}

function noImages({ directory, report }: Reading): EmptyDatasetError {
  const first = report.problems.sort(byPlace)[0];
  return new EmptyDatasetError({
    what: `${directory} holds no annotated image`,
    expected: 'at least one image with annotations',
    received: first ? shownProblem(first) : 'annotations without images',
    fix: 'check that the images were unpacked, beside the annotations or in folders of their own',
  });
}

function unknownSplit(directory: string, name: SplitName, splits: Splits): never {
  throw new UnknownSplitError({
    what: `${directory} has no split '${name}'`,
    expected: [...splits.keys()].map((split) => `'${split}'`).join(' or '),
    received: `'${name}'`,
  });
}
