import { BackboneConfigError } from './errors.ts';

/** What a value must satisfy, and how to say it. */
type Rule = [ok: (value: unknown) => boolean, expected: string];

/**
 * Checks the keys of a configuration in the order of the rules.
 *
 * @throws {@link BackboneConfigError} that names the first key that does not fit.
 */
export function checkRules<T extends object>(
  what: string,
  config: T,
  rules: Partial<Record<keyof T & string, Rule>>,
): void {
  for (const [key, [ok, expected]] of Object.entries(rules) as [keyof T & string, Rule][]) {
    if (ok(config[key])) continue;
    throw new BackboneConfigError({
      what: `${what}: '${key}' does not fit`,
      expected,
      received: JSON.stringify(config[key]) ?? 'nothing',
    });
  }
}

/** Whether a value is a whole number above 0. */
export function isCount(n: unknown): n is number {
  return Number.isSafeInteger(n) && (n as number) > 0;
}

/** Whether a value is a list of whole numbers above 0. */
export function isCounts(list: unknown): list is number[] {
  return Array.isArray(list) && list.length > 0 && list.every(isCount);
}

/** Whether a value is an ascending list of indices below `count`. */
export function isLevels(list: unknown, count: number): list is number[] {
  if (!Array.isArray(list) || list.length === 0) return false;
  return list.every((s, i) => Number.isInteger(s) && s >= 0 && s < count && (i === 0 || s > list[i - 1]));
}
