import { UnsafePathError } from '../errors.ts';
import type { SplitName } from '../layouts.ts';
import { baseOf, folderOf, splitOfPath, stemOf } from './file-list.ts';
import { type Place, type Report, settled } from './problems.ts';

const imageExtension = /\.(jpe?g|png|webp|gif|tiff?|avif|mpo|bmp)$/i;
const imageFolder = /^(jpegimages|images?|imgs?|img_dir)$/i;

/** Where a name is looked for first. */
export interface Wanted {
  /** The file that names the image, below the data folder. */
  from: string;
  split: SplitName | undefined;
}

/**
 * The image files of a data folder by name. Names in annotations are only ever looked up here, never opened as paths, so
 * nothing outside of the folder can be reached.
 */
export class ImageIndex {
  /** All image files, sorted. */
  readonly files: readonly string[];
  readonly #byBase = new Map<string, Entry[]>();
  readonly #byStem = new Map<string, Entry[]>();

  constructor(files: readonly string[]) {
    this.files = files.filter((file) => imageExtension.test(file));
    for (const file of this.files) {
      const path = folded(`/${file}`);
      add(this.#byBase, baseOf(path), { file, path });
      add(this.#byStem, stemOf(baseOf(path)), { file, path: stemOf(path) });
    }
  }

  /** Whether the file is an image, by its name. */
  static isImage = (file: string): boolean => imageExtension.test(file);

  /**
   * The image an annotation names, or `undefined` if there is none, which is reported.
   *
   * Back slashes, another case and another Unicode form are forgiven. Of a path that leads outside of the data folder only the
   * last part is looked for, with a warning.
   */
  find(name: string, wanted: Wanted, place: Place, report: Report): string | undefined {
    const path = placed(name, wanted.from);
    const found = this.#lookUp(path.inside ?? baseOf(path.outside), wanted);
    if (name.includes('\0') || (path.inside === undefined && found === undefined)) {
      report.fail(unsafe(name, place), place.file);
      return undefined;
    }
    if (found === undefined) report.missing(place, name);
    else if (path.inside === undefined) {
      report.warn(
        place,
        `the image ${shownName(name)} lies outside of the data folder`,
        `${found} was taken`,
      );
    } else if (!`/${found}`.normalize('NFC').endsWith(`/${path.inside.normalize('NFC')}`)) {
      report.warn(
        place,
        `there is no image ${shownName(name)}, but one in another case`,
        `${found} was taken`,
      );
    }
    return found;
  }

  /** The image whose path without extension ends with `stem`. */
  withStem(stem: string, wanted: Wanted): string | undefined {
    const inside = folded(`/${stem}`);
    const fitting = this.#byStem.get(baseOf(inside))?.filter(({ path }) => path.endsWith(inside));
    return nearest(fitting?.map(({ file }) => file) ?? [], wanted);
  }

  /** The image whose path ends with `path`, or the one with its last part. */
  withTail(path: string, wanted: Wanted): string | undefined {
    return this.#lookUp(path, wanted) ?? this.#lookUp(baseOf(path), wanted);
  }

  #lookUp(path: string, wanted: Wanted): string | undefined {
    const inside = folded(`/${path}`);
    const all = this.#byBase.get(baseOf(inside)) ?? [];
    const fitting = all.filter((entry) => entry.path.endsWith(inside)).map(({ file }) => file);
    const exact = fitting.filter((file) => `/${file}`.endsWith(`/${path}`));
    return nearest(exact.length > 0 ? exact : fitting, wanted);
  }
}

/** A file and its name in one spelling, from a slash on. */
interface Entry {
  file: string;
  path: string;
}

/** One name for all spellings that file systems mix up: case, and composed or decomposed letters. */
const folded = (path: string) => path.normalize('NFC').toLowerCase();

function add<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** The first file by: near the annotation, of its split, of no split, shortest. */
function nearest(files: readonly string[], wanted: Wanted): string | undefined {
  if (files.length < 2) return files[0];
  const ranked = files.map((file) => ({ file, rank: rankOf(file, wanted) }));
  ranked.sort((a, b) => a.rank - b.rank || a.file.length - b.file.length || (a.file < b.file ? -1 : 1));
  return ranked[0]!.file;
}

function rankOf(file: string, { from, split }: Wanted): number {
  const [folder, home] = [folderOf(file), folderOf(from)];
  if (folder === home) return 0;
  const beside = folderOf(folder) === home || folderOf(folder) === folderOf(home);
  if (beside && imageFolder.test(baseOf(folder))) return 1;
  const named = splitOfPath(folder);
  return named === split ? 2 : named === undefined ? 3 : 4;
}

/** A name as a path below the data folder, or, if it leads out of it, as it was written. */
function placed(name: string, from: string): { inside: string } | { inside?: undefined; outside: string } {
  const path = name.replaceAll('\\', '/');
  if (/^([a-z][a-z0-9+.-]*:|\/)/i.test(path)) return { outside: path };
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (!parts.includes('..')) return { inside: parts.join('/') };
  const resolved = folderOf(from)
    .split('/')
    .filter((part) => part !== '');
  for (const part of parts) {
    if (part !== '..') resolved.push(part);
    else if (resolved.pop() === undefined) return { outside: path };
  }
  return { inside: resolved.join('/') };
}

const shownName = (name: string) => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);

function unsafe(name: string, place: Place): UnsafePathError {
  return new UnsafePathError(
    {
      what: `the image name ${shownName(name)} leads out of the data folder`,
      expected: 'a path of an image below the data folder',
      received: name.includes('\0')
        ? 'a name with a NUL character'
        : 'an absolute path, an address, or too many ..',
      fix: 'write the names relative to the data folder',
    },
    settled(place),
  );
}
