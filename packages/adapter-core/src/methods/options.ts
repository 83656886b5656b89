import { E3vaError } from '@e3va/highway-grad';
import type { LayerPattern } from '../taps.ts';

/** An option of a method has a value that it cannot have. */
export class MethodOptionError extends E3vaError {}

/** A method cannot stand on a layer of this kind. */
export class MethodLayerError extends E3vaError {}

/** @throws {@link MethodOptionError} unless each named option is a positive whole number. */
export function checkPositiveIntegers(method: string, options: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(options)) {
    if (Number.isInteger(value) && (value as number) > 0) continue;
    throw new MethodOptionError({
      what: `${method}: '${key}' must be a positive whole number`,
      received: String(value),
      fix: `for instance ${method}({ ${key}: 8 })`,
    });
  }
}

/** @throws {@link MethodOptionError} unless a named option is a number of at least `least`, and below `below`. */
export function checkRange(
  method: string,
  options: Record<string, unknown>,
  { least = 0, below = Number.POSITIVE_INFINITY }: { least?: number; below?: number } = {},
): void {
  for (const [key, value] of Object.entries(options)) {
    if (typeof value === 'number' && value >= least && value < below) continue;
    throw new MethodOptionError({
      what: `${method}: '${key}' is out of range`,
      expected: `a number from ${least}${below === Number.POSITIVE_INFINITY ? ' on' : ` to below ${below}`}`,
      received: String(value),
    });
  }
}

/** @throws {@link MethodOptionError} unless each named option is one of its choices. */
export function checkChoices<K extends string>(
  method: string,
  options: Record<K, unknown>,
  choices: Record<K, readonly string[]>,
): void {
  for (const [key, allowed] of Object.entries(choices) as [K, readonly string[]][]) {
    const value = String(options[key]);
    if (allowed.includes(value)) continue;
    throw new MethodOptionError({
      what: `${method}: unknown '${key}'`,
      expected: allowed.join(' or '),
      received: value,
    });
  }
}

/** The options that were given, over the defaults. */
export function withDefaults<T extends object>(defaults: T, options: Partial<T>): T {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

/** A pattern as JSON: for files and summaries. */
export function patternToJson(pattern: LayerPattern): string | string[] {
  if (typeof pattern === 'function') return predicateText;
  if (pattern instanceof RegExp) return String(pattern);
  return typeof pattern === 'string' ? pattern : [...pattern];
}

/** A pattern from {@link patternToJson}'s result. */
export function patternFromJson(json: string | string[]): LayerPattern {
  if (json === predicateText) {
    throw new MethodOptionError({
      what: 'a pattern that was a function cannot be read from a file',
      fix: 'adapt the base with the same method and predicate first, then load the adapter into it',
    });
  }
  const expression = typeof json === 'string' ? /^\/(.*)\/([a-z]*)$/s.exec(json) : null;
  return expression ? new RegExp(expression[1]!, expression[2]) : json;
}

const predicateText = '(predicate)';
