import { E3vaError } from '@e3va/highway-grad';
import type { CocoDataset } from '@e3va/metrics';
import {
  ClassNamesError,
  EmptyDatasetError,
  ImageSizeError,
  OptionError,
  UnknownSplitError,
} from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import { nodeModule } from '../node.ts';
import { readImage } from '../read-image.ts';
import { splitByName } from '../split-by-name.ts';
import { decideLabels, type Labels } from './decide-labels.ts';
import type { Draft } from './drafts.ts';
import { folderOf, listFiles } from './file-list.ts';
import { ImageIndex } from './image-index.ts';
import type { DetectionFolderOptions, DetectionFormat } from './options.ts';
import { type DataProblem, Report } from './problems.ts';
import { readCocoFolder, readLabelMeFolder, readVocFolder } from './read-folders.ts';
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

/** What {@link checkDetectionFolder} found. */
export interface DetectionCheck {
  /** Everything that is wrong, by file and line. */
  problems: DataProblem[];
  /** The data set without what has errors, or `undefined` if nothing of it can be used. */
  folder: DetectionFolder | undefined;
}

/**
 * Opens a folder of images with boxes or outlines: COCO, PASCAL VOC, YOLO or LabelMe (Node only).
 *
 * The form is recognised by the files the folder holds, the splits by the words `train`, `val`, `valid` and `test` in names of
 * folders and COCO files, by the lists in `ImageSets/Main` or by `data.yaml`. Without a validation split one is split off by a
 * hash of the names. Images without objects are kept. Images that no COCO, VOC or LabelMe file mentions are not part of the data
 * set; for YOLO they are images without objects.
 *
 * **Coordinates.** Boxes become edges `x1 y1 x2 y2` in pixels of the upright image. VOC counts pixels from 1 and includes the last,
 * so its `xmin ymin xmax ymax` become `xmin - 1, ymin - 1, xmax, ymax`; if a box of the data set begins at 0, its files hold edges and
 * are taken as they are. Class numbers of YOLO and category ids of COCO become labels from 0 in their order.
 *
 * **Bad annotations.** One policy for all forms. What is repaired or left out is listed in `problems`, with file and line:
 *
 * - A box beyond the image is clipped; more than 0.1 pixels are listed. A box wholly outside is dropped.
 * - A box that is missing, not four finite numbers or without area is taken from the outline if that is good, else the object is
 *   dropped. A VOC box whose minimum equals its maximum has no area. VOC minimum and maximum are swapped where needed.
 * - A polygon with fewer than three points or a number that is none is dropped, beyond the image it is cut. A mask that cannot be
 *   decoded, is empty or not of the image's size is dropped; the box stays.
 * - An object of an unknown class, or of an image that is not listed, is dropped.
 * - Of two annotations with one id, the later gets a new one. Of two images with one id, the later is dropped; if it is the same file
 *   under two ids, the annotations are joined.
 * - The size of the image counts, not the one the annotations say. Only where they say the size before the EXIF orientation is that
 *   an error, since the boxes lie elsewhere.
 * - Images that are missing are one error that names them all, unless `missingImages` is `'drop'`. Back slashes and another case in
 *   names are forgiven. Names are only looked up among the files of the folder; one that leads out of it is an error unless an image
 *   of that last name is there.
 * - A file that is not what it should be is an error with file and line: cut short, binary, too large, another form. XML with a
 *   document type declaration is refused. UTF-16 and byte order marks are read. `NaN` in JSON is read as `null`.
 *
 * @throws FolderNotFoundError, UnknownLayoutError, AmbiguousLayoutError, EmptyDatasetError, ClassNamesError, OptionError
 * @throws AnnotationSyntaxError, AnnotationFormatError, AnnotationTooLargeError, UnsafeXmlError, UnsafePathError
 * @throws MissingImageError, ImageSizeError, ImageDecodeError, ImageTooLargeError
 *
 * @example
 * ```ts
 * import { mkdir, writeFile } from 'node:fs/promises';
 * import { openDetectionFolder, writePng } from '@e3va/datasets';
 *
 * await mkdir('pets/images', { recursive: true });
 * await mkdir('pets/labels', { recursive: true });
 * for (const name of ['a', 'b']) {
 *   await writePng(`pets/images/${name}.png`, { width: 40, height: 20, data: new Uint8Array(2400) });
 *   await writeFile(`pets/labels/${name}.txt`, '1 0.5 0.5 0.25 0.5\n');
 * }
 * const folder = await openDetectionFolder('pets', { classes: ['cat', 'dog'] });
 * const { image, objects } = await folder.split('train').load(0);
 * console.log(folder.format, folder.splits, image.width); // yolo ['train', 'val'] 40
 * console.log(folder.classes[objects[0]!.label], objects[0]!.box); // dog [15, 5, 25, 15]
 * ```
 */
export function openDetectionFolder(
  directory: string,
  options: DetectionFolderOptions = {},
): Promise<DetectionFolder> {
  return openWith(directory, options, new Report(true, options.missingImages));
}

/**
 * Checks a folder of images with boxes or outlines by the rules of {@link openDetectionFolder}, and goes on after an error where that
 * can be done (Node only). Images are decoded as a whole unless `check` says otherwise.
 *
 * @returns Everything that is wrong. Nothing that is wrong with the data is thrown.
 *
 * @example
 * ```ts
 * import { mkdir, writeFile } from 'node:fs/promises';
 * import { checkDetectionFolder, writePng } from '@e3va/datasets';
 *
 * await mkdir('odd/images', { recursive: true });
 * await mkdir('odd/labels', { recursive: true });
 * await writePng('odd/images/a.png', { width: 4, height: 4, data: new Uint8Array(48) });
 * await writeFile('odd/labels/a.txt', '0 0.5 0.5 1 1\n0 0.5 0.5 1.5 1\n');
 * const { problems } = await checkDetectionFolder('odd');
 * console.log(problems[0]); // { file: 'odd/labels/a.txt', line: 2, severity: 'warning', what: 'the box …', action: 'clipped' }
 * ```
 */
export async function checkDetectionFolder(
  directory: string,
  options: DetectionFolderOptions = {},
): Promise<DetectionCheck> {
  const report = new Report(false, options.missingImages);
  try {
    const folder = await openWith(directory, { check: 'pixels', ...options }, report);
    return { problems: report.problems, folder };
  } catch (error) {
    if (!E3vaError.isInstance(error) || error instanceof OptionError) throw error;
    // That nothing is left tells nothing new once a file was refused.
    const told = error instanceof EmptyDatasetError || error instanceof ClassNamesError;
    if (!told || !report.problems.some(({ severity }) => severity === 'error')) report.fail(error, directory);
    return { problems: report.problems.sort(byPlace), folder: undefined };
  }
}

const readers: Record<DetectionFormat, (files: AnnotationFile[], reading: Reading) => Promise<Draft>> = {
  coco: readCocoFolder,
  voc: readVocFolder,
  yolo: readYoloFolder,
  labelme: readLabelMeFolder,
};

async function openWith(
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
    split: (name) => splitOf(get(name), options),
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
      ? `${report.problems.length} problems; the first: ${shown(first)}`
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

function splitOf(images: readonly SettledImage[], options: DetectionFolderOptions): DetectionSplit {
  const at = (index: number) => {
    const found = images[index];
    if (found) return found.info;
    throw new OptionError({ what: `there is no sample ${index}`, expected: `0 to ${images.length - 1}` });
  };
  return {
    length: images.length,
    names: images.map(({ name }) => name),
    info: at,
    async load(index) {
      const { name, file, width, height, objects } = at(index);
      const image = await readImage(file, options);
      if (image.width === width && image.height === height) return { name, image, objects: [...objects] };
      throw new ImageSizeError(
        {
          what: 'the image is not of the size it had in the annotations, or when the data set was opened',
          expected: `${width}x${height}`,
          received: `${image.width}x${image.height}`,
          fix: "open the data set with check: 'headers'",
        },
        { file },
      );
    },
  };
}

function byPlace(a: DataProblem, b: DataProblem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  // Of one line in order of the words, since files are read at the same time.
  return (a.line ?? 0) - (b.line ?? 0) || (a.what < b.what ? -1 : a.what > b.what ? 1 : 0);
}

const shown = ({ file, line, what }: DataProblem) =>
  `${file}${line === undefined ? '' : `:${line}`}: ${what}`;

function summary(problems: readonly DataProblem[]): string {
  const actions = new Map<string, number>();
  for (const { severity, action } of problems) {
    const key =
      severity === 'error' ? 'errors' : (/^(dropped|clipped)/.exec(action)?.[1] ?? 'repaired or left out');
    actions.set(key, (actions.get(key) ?? 0) + 1);
  }
  const counts = [...actions].map(([action, count]) => `${count} ${action}`).join(', ');
  return `Annotations with problems: ${counts}; the first: ${shown(problems[0]!)}.`;
}

function noImages({ directory, report }: Reading): EmptyDatasetError {
  const first = report.problems.sort(byPlace)[0];
  return new EmptyDatasetError({
    what: `${directory} holds no annotated image`,
    expected: 'at least one image with annotations',
    received: first ? shown(first) : 'annotations without images',
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
