import { E3vaError } from '@e3va/highway-grad';
import { AnnotationError, type AnnotationPlace, MissingImageError } from '../errors.ts';

/** Something that is wrong in a data set, and what was done about it. */
export interface DataProblem {
  /** Path of the file. */
  file: string;
  /** Line of the file, from 1, where it is known. */
  line?: number;
  /** `error`: opening the data set fails by it. `warning`: it was repaired or left out. */
  severity: 'error' | 'warning';
  /** What is wrong, in a few words. */
  what: string;
  /** What was done: `clipped`, `dropped`, `kept`, … For an error: what to do. */
  action: string;
}

/** The order of files and lines; what one line has keeps its order. */
export function byPlace(a: DataProblem, b: DataProblem): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return (a.line ?? 0) - (b.line ?? 0);
}

/** A problem in one line. */
export const shownProblem = ({ file, line, what }: DataProblem) =>
  `${file}${line === undefined ? '' : `:${line}`}: ${what}`;

/** A place whose line is looked for when it is needed, since that takes a pass over the text. */
export interface Place {
  file: string;
  line?: number | (() => number | undefined) | undefined;
}

/** The place with its line found. */
export const settled = ({ file, line }: Place): AnnotationPlace => ({
  file,
  line: typeof line === 'function' ? line() : line,
});

/**
 * Collects what is wrong while a data set is read. A *strict* report throws the first error; another one keeps it
 * among the problems, and the reader goes on without the file.
 */
export class Report {
  readonly problems: DataProblem[] = [];
  readonly #missing: { place: AnnotationPlace; name: string }[] = [];
  readonly #strict: boolean;
  readonly #missingImages: 'error' | 'drop';

  /** @param missingImages What becomes of annotated images that are not there. */
  constructor(strict: boolean, missingImages: 'error' | 'drop' = 'error') {
    this.#strict = strict;
    this.#missingImages = missingImages;
  }

  /** Notes something that was repaired or left out. */
  warn(place: Place, what: string, action: string): void {
    const { file, line } = settled(place);
    this.problems.push({ file, ...(line !== undefined && { line }), severity: 'warning', what, action });
  }

  /** Throws the error, or notes it. `file` is named where the error does not say where it happened. */
  fail(error: unknown, file: string): void {
    if (this.#strict || !E3vaError.isInstance(error)) throw error;
    const place = error instanceof AnnotationError ? error : { file, line: undefined };
    this.problems.push({
      file: place.file,
      ...(place.line !== undefined && { line: place.line }),
      severity: 'error',
      what: error instanceof AnnotationError ? error.problem : error.parts.what,
      action: error.parts.fix ?? 'refused',
    });
  }

  /** Runs a step; what it throws is an error of `file`. Returns `undefined` then. */
  async attempt<T>(file: string, step: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await step();
    } catch (error) {
      this.fail(error, file);
      return undefined;
    }
  }

  /** Notes an annotated image that is not there. {@link throwMissing} tells of all of them at once. */
  missing(place: Place, name: string): void {
    if (this.#missingImages === 'error') this.#missing.push({ place: settled(place), name });
    else this.warn(place, `the image ${name} is missing`, 'left out');
  }

  /** @throws MissingImageError in a strict report, if images are missing. */
  throwMissing(): void {
    const [first, ...others] = this.#missing.splice(0);
    if (!first) return;
    if (this.#strict)
      throw missingImages(
        first,
        others.map(({ name }) => name),
      );
    for (const { place, name } of [first, ...others]) {
      this.fail(missingImages({ place, name }, []), place.file);
    }
  }
}

function missingImages(first: { place: AnnotationPlace; name: string }, others: string[]): MissingImageError {
  const names = [first.name, ...others];
  const shown = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');
  return new MissingImageError(
    {
      what: names.length === 1 ? `the image ${first.name} is missing` : `${names.length} images are missing`,
      expected: 'every annotated image below the data folder, under the name the annotation has',
      received: `nothing for ${shown}`,
      fix: "add the images, remove their annotations, or pass missingImages: 'drop'",
    },
    first.place,
    names,
  );
}
