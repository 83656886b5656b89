import { mapConcurrent } from '../concurrent.ts';
import { AmbiguousLayoutError, OptionError, UnknownLayoutError } from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import { nodeModule } from '../node.ts';
import { baseOf, folderOf, splitOfPath, stemOf } from './file-list.ts';
import type { DetectionFolderOptions, DetectionFormat } from './options.ts';
import type { Reading } from './reading.ts';

/** An annotation file and the split that it, or its folder, names. */
export interface AnnotationFile {
  file: string;
  split: SplitName | undefined;
}

/** The annotations of a folder. */
export interface Recognised {
  format: DetectionFormat;
  /** Annotation files, sorted. For YOLO the label files. */
  files: AnnotationFile[];
}

/** Text files that hold no labels. */
const noLabels = /^(classes|class_names|labels|readme.*|license.*|train|val|valid|test|trainval)\.txt$/i;
const maxSniffed = 3;
const formats: readonly DetectionFormat[] = ['coco', 'voc', 'yolo', 'labelme'];

/**
 * Finds out which form of annotations a folder holds, by the names of its files and the beginnings of its JSON files.
 *
 * @throws UnknownLayoutError, AmbiguousLayoutError, OptionError
 */
export async function recognise(reading: Reading): Promise<Recognised> {
  checkOptions(reading.options);
  const scope = scopeOf(reading);
  const found = await candidates(scope, reading);
  const { format } = reading.options;
  const present = formats.filter((name) => found[name].length > 0);
  if (format !== undefined) {
    if (found[format].length > 0) return { format, files: found[format] };
    throw unknown(reading, `${reading.directory} holds no annotations in the form '${format}'`);
  }
  if (present.length > 1) throw ambiguous(reading.directory, present, found);
  if (present[0]) return { format: present[0], files: found[present[0]] };
  // Nothing fits: what could be annotations is read all the same, so that the error says what is wrong with it.
  const [json, xml] = [scope.filter(isJson), scope.filter(({ file }) => /\.xml$/i.test(file))];
  if (json.length > 0) return { format: 'coco', files: json };
  if (xml.length > 0) return { format: 'voc', files: xml };
  throw unknown(reading, `${reading.directory} holds no annotations in a known form`);
}

function checkOptions({ format, annotations }: DetectionFolderOptions): void {
  if (format !== undefined && !formats.includes(format)) {
    throw new OptionError({
      what: 'the format is not known',
      expected: formats.join(', '),
      received: `'${format}'`,
    });
  }
  if (typeof annotations !== 'object') return;
  const unknown = Object.keys(annotations).find((split) => !['train', 'val', 'test'].includes(split));
  if (unknown === undefined) return;
  throw new OptionError({
    what: 'annotations are of no split',
    expected: 'train, val or test',
    received: `'${unknown}'`,
  });
}

/** All files, or those the options name. */
function scopeOf({ files, directory, options: { annotations } }: Reading): AnnotationFile[] {
  if (annotations === undefined) return files.map((file) => ({ file, split: splitOfPath(file) }));
  const named =
    typeof annotations === 'string' ? [[undefined, annotations] as const] : Object.entries(annotations);
  return named.flatMap(([split, path]) => {
    const wanted = path.replaceAll('\\', '/').replace(/^(\.\/)+|\/+$/g, '');
    const inside = files.filter((file) => wanted === '.' || file === wanted || file.startsWith(`${wanted}/`));
    if (inside.length === 0) {
      throw new OptionError({
        what: `there are no annotations ${path} in ${directory}`,
        expected: 'the path of a file or folder below it',
        received: path,
      });
    }
    return inside.map((file) => ({ file, split: (split as SplitName | undefined) ?? splitOfPath(file) }));
  });
}

async function candidates(
  scope: readonly AnnotationFile[],
  reading: Reading,
): Promise<Record<DetectionFormat, AnnotationFile[]>> {
  const { coco, labelme } = await jsonFiles(scope, reading);
  const chosen = reading.options.annotations !== undefined;
  const fits = (file: string) =>
    chosen || reading.images.withStem(stemOf(baseOf(file)), { from: file, split: undefined }) !== undefined;
  const folderSplit = ({ file, split }: AnnotationFile) => ({
    file,
    split: chosen ? split : splitOfPath(folderOf(file)),
  });
  const xml = scope.filter(({ file }) => /\.xml$/i.test(file));
  const txt = scope.filter(
    ({ file }) => /\.txt$/i.test(file) && !noLabels.test(baseOf(file)) && !inImageSets(file),
  );
  // One file that belongs to an image makes its neighbours labels too, so that one without an image is noticed.
  const besideLabels = (files: AnnotationFile[]) => {
    const folders = new Set(files.filter(({ file }) => fits(file)).map(({ file }) => folderOf(file)));
    return files.filter(({ file }) => folders.has(folderOf(file))).map(folderSplit);
  };
  const voc = besideLabels(xml);
  return {
    coco,
    voc: voc.length > 0 ? voc : xml.filter(({ file }) => /(^|\/)annotations\//i.test(file)).map(folderSplit),
    yolo: besideLabels(txt),
    labelme: labelme.map(folderSplit),
  };
}

const inImageSets = (file: string) => /(^|\/)imagesets\//i.test(file);

const isJson = ({ file }: AnnotationFile) =>
  /\.json$/i.test(file) && !/^(classes|package|package-lock|tsconfig)\.json$/i.test(baseOf(file));

/** Sorts the JSON files by what the first ones of each folder hold, and those of COCO by their names too. */
async function jsonFiles(
  scope: readonly AnnotationFile[],
  reading: Reading,
): Promise<{ coco: AnnotationFile[]; labelme: AnnotationFile[] }> {
  const coco: AnnotationFile[] = [];
  const labelme: AnnotationFile[] = [];
  const kindOf = ({ file }: AnnotationFile) =>
    instanceNames.some((name) => name.test(baseOf(file))) ? 'coco' : sniff(reading.path(file));
  for (const [, files] of groupBy(scope.filter(isJson), ({ file }) => folderOf(file))) {
    const first = await Promise.all(files.slice(0, maxSniffed).map(kindOf));
    // Beside LabelMe files, one with the name of an image is meant as one, whatever it holds.
    const named = ({ file }: AnnotationFile) =>
      first.includes('labelme') &&
      reading.images.withStem(stemOf(baseOf(file)), { from: file, split: undefined }) !== undefined;
    const kinds = await mapConcurrent(files, 8, async (file) => (named(file) ? 'labelme' : kindOf(file)));
    coco.push(...files.filter((_, i) => kinds[i] === 'coco'));
    labelme.push(...files.filter((_, i) => kinds[i] === 'labelme'));
  }
  return { coco: instances(coco), labelme };
}

/** Names of COCO files that hold instances. */
const instanceNames = [/^instances[_.-].*\.json$/i, /\.coco\.json$/i];

/** Of the COCO files of a data set those that hold instances, by their names. */
function instances(files: AnnotationFile[]): AnnotationFile[] {
  const rule = instanceNames.find((name) => files.some(({ file }) => name.test(baseOf(file))));
  if (rule) return files.filter(({ file }) => rule.test(baseOf(file)));
  const other = /captions|keypoints|panoptic|stuff|image_info|results|predictions|detections/i;
  const left = files.filter(({ file }) => !other.test(baseOf(file)));
  return left.length > 0 ? left : files;
}

/** What the ends of a JSON file look like. */
async function sniff(path: string): Promise<'coco' | 'labelme' | undefined> {
  const text = await readEnds(path, 65536);
  if (/"shapes"\s*:/.test(text) && /"(imagePath|imageData|imageHeight)"\s*:/.test(text)) return 'labelme';
  return /"(images|annotations|categories)"\s*:\s*\[/.test(text) ? 'coco' : undefined;
}

/** The first and last bytes of a file as text; zero bytes, as in UTF-16, are left out. */
async function readEnds(path: string, length: number): Promise<string> {
  const handle = await nodeModule('node:fs/promises')
    .open(path, 'r')
    .catch(() => undefined);
  if (!handle) return '';
  try {
    const { size } = await handle.stat();
    const buffer = new Uint8Array(length);
    const part = async (position: number) => {
      const { bytesRead } = await handle.read(buffer, 0, length, position);
      return new TextDecoder('latin1').decode(buffer.subarray(0, bytesRead)).replaceAll('\0', '');
    };
    return (await part(0)) + (size > length ? await part(Math.max(length, size - length)) : '');
  } finally {
    await handle.close();
  }
}

/** Items by a key, in order of their first occurrence. */
export function groupBy<T, K>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function ambiguous(
  directory: string,
  present: readonly DetectionFormat[],
  found: Record<DetectionFormat, AnnotationFile[]>,
): AmbiguousLayoutError {
  const shown = present.map(
    (name) => `${name}: ${found[name].length} files, such as ${found[name][0]!.file}`,
  );
  return new AmbiguousLayoutError({
    what: `${directory} holds annotations in several forms`,
    expected: 'one form',
    received: shown.join('; '),
    fix: `pass format: ${present.map((name) => `'${name}'`).join(' or ')}, or annotations: '…' with their path`,
  });
}

function unknown({ files, directory }: Reading, what: string): UnknownLayoutError {
  const kinds = [...groupBy(files, (file) => /\.[^./]*$/.exec(file)?.[0].toLowerCase() ?? 'no extension')];
  const shown = kinds.slice(0, 8).map(([extension, found]) => `${found.length} of ${extension}`);
  return new UnknownLayoutError({
    what,
    expected:
      'COCO (annotations/instances_*.json, train/_annotations.coco.json, a JSON beside the images), PASCAL VOC (Annotations/*.xml, ' +
      'or XML beside the images), YOLO (labels/*.txt and images/, or train/labels and train/images) or LabelMe (JSON beside the images)',
    received: shown.length > 0 ? `files: ${shown.join(', ')}` : `an empty folder ${directory}`,
    fix: 'check that this is the right folder, and that it was unpacked',
  });
}
