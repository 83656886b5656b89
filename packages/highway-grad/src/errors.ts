/** The parts of an error message: what happened, what was expected, what was received, and what to do about it. */
export interface ErrorParts {
  what: string;
  expected?: string;
  received?: string;
  fix?: string;
}

const mark = Symbol.for('@e3va/error');

/**
 * Base class of every error that an e3va package throws on purpose.
 *
 * The message has up to four lines: what happened, `expected:`, `received:` and `to do:`.
 * {@link E3vaError.isInstance} also recognises errors of another installed copy of the package.
 *
 * @example
 * ```ts
 * import { E3vaError } from '@e3va/highway-grad';
 *
 * const error = new E3vaError({ what: 'rank must be positive', received: '0', fix: 'use 4, 8, 16 or 32' });
 * console.log(E3vaError.isInstance(error), error.parts.fix);
 * ```
 */
export class E3vaError extends Error {
  /** The parts that the message was made of. */
  readonly parts: ErrorParts;

  constructor(parts: ErrorParts, options?: ErrorOptions) {
    super(messageOf(parts), options);
    this.name = new.target.name;
    this.parts = parts;
    Object.defineProperty(this, mark, { value: true });
  }

  /** Whether `error` is an e3va error, whichever copy of the package made it. */
  static isInstance(error: unknown): error is E3vaError {
    return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[mark] === true;
  }
}

function messageOf({ what, expected, received, fix }: ErrorParts): string {
  const lines = [what];
  if (expected !== undefined) lines.push(`  expected: ${expected}`);
  if (received !== undefined) lines.push(`  received: ${received}`);
  if (fix !== undefined) lines.push(`  to do: ${fix}`);
  return lines.join('\n');
}

/** A tensor has a shape that the operation cannot take. */
export class ShapeError extends E3vaError {}

/** Two copies of `@tensorflow/tfjs-core` are loaded in one process. */
export class DuplicateTfjsError extends E3vaError {}
