import { OptionError } from './errors.ts';
import { hashText } from './rng.ts';

/**
 * Sets a share of named items apart for validation, at least one of each side where there are two.
 *
 * The choice depends on the seed and the names alone, not on their order: an item added later moves few others.
 *
 * @param fraction Share that goes to validation, above 0 and below 1.
 * @throws OptionError if the fraction is out of range or there is only one item.
 */
export function splitByName<T extends { name: string }>(
  items: readonly T[],
  fraction: number,
  seed: number,
): { train: T[]; val: T[] } {
  if (!(fraction > 0 && fraction < 1)) {
    throw new OptionError({
      what: 'valFraction is out of range',
      expected: 'a number above 0 and below 1',
      received: String(fraction),
    });
  }
  if (items.length < 2) {
    throw new OptionError({
      what: 'a single image cannot be split into training and validation',
      fix: 'add images, or a validation split of its own',
    });
  }
  const count = Math.min(items.length - 1, Math.max(1, Math.round(items.length * fraction)));
  const ranked = items.map((item) => ({ item, rank: hashText(item.name, seed) }));
  ranked.sort((a, b) => a.rank - b.rank || (a.item.name < b.item.name ? -1 : 1));
  const chosen = new Set(ranked.slice(0, count).map(({ item }) => item));
  return { train: items.filter((item) => !chosen.has(item)), val: items.filter((item) => chosen.has(item)) };
}
