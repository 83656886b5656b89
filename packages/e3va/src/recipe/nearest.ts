/** Number of insertions, deletions, changes and swaps of neighbours that turn `a` into `b`. */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, change);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The candidate nearest to `word`, or undefined when none is near: more than half of the letters would change. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((c) => ({ c, d: editDistance(word.toLowerCase(), c.toLowerCase()) }));
  scored.sort((a, b) => a.d - b.d);
  const best = scored[0];
  return best && best.d <= Math.max(1, Math.floor(word.length / 2)) ? best.c : undefined;
}

/**
 * The key path that somebody meant by `path`: the same name elsewhere (`train.lr` for `train.optimizer.lr`), else the
 * nearest name in the same place, else the nearest anywhere.
 */
export function nearestKey(path: string, keys: readonly string[]): string | undefined {
  const name = path.slice(path.lastIndexOf('.') + 1);
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('.')));
  const last = (key: string) => key.slice(key.lastIndexOf('.') + 1);
  const inside = (key: string) => (parent === '' ? !key.includes('.') : key.startsWith(`${parent}.`));
  const near = keys.filter((key) => inside(key));
  const same = near.find((key) => last(key) === name) ?? keys.find((key) => last(key) === name);
  if (same) return same;
  for (const pool of [near, keys]) {
    const found = nearest(name, pool.map(last));
    if (found) return pool.find((key) => last(key) === found);
  }
  return undefined;
}
