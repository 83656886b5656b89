import { SafetensorsError } from '@e3va/adapter-core';
import type { ErrorParts } from '@e3va/highway-grad';
import { WeightFileError } from './errors.ts';

/** The error of a file whose contents contradict themselves or its format. */
export function damaged(
  name: string,
  what: string,
  rest: Pick<ErrorParts, 'expected' | 'received' | 'fix'> = {},
  cause?: unknown,
): WeightFileError {
  const fix = rest.fix ?? 'the file is damaged: download or save it again';
  return new WeightFileError(
    { what: `${name}: ${what}`, ...rest, fix },
    cause === undefined ? {} : { cause },
  );
}

/** Runs what reads parts of the safetensors format; its error becomes that of weight files. */
export function asWeightFileError<T>(run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw new WeightFileError(cause.parts, { cause });
    throw cause;
  }
}

/** A stranger's value for a message: not too long, in one line, and without walking into it, for it may be nested without end. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const flat = String(value).slice(0, 200).replace(/\p{C}/gu, '\u00b7');
  return flat.length > 120 ? `${flat.slice(0, 120)}…` : flat;
}
