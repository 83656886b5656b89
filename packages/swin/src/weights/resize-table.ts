import type { WeightResize } from '@e3va/weight-files';

/**
 * Resizes relative-position tables to another window: old entries are spread over the new range at distances that grow
 * geometrically, near positions staying near, and between them is interpolated linearly.
 *
 * Source: the way of BEiT's fine-tuning code, as timm 1.0 does it when it loads a checkpoint.
 *
 * @param window Side of the new window.
 * @param heads Columns of the table.
 */
export function tableResize(window: number, heads: number): WeightResize {
  const to = 2 * window - 1;
  return {
    accepts: ([rows = 0, columns]) => columns === heads && Math.sqrt(rows) % 2 === 1,
    apply: ({ data, shape }) => {
      const from = Math.sqrt(shape[0]!);
      const axis = interpolation(from, to);
      const out = new Float32Array(to * to * heads);
      for (let y = 0; y < to; y++) {
        for (let x = 0; x < to; x++) {
          for (let h = 0; h < heads; h++) {
            let sum = 0;
            for (const [row, weightY] of axis[y]!) {
              for (const [col, weightX] of axis[x]!)
                sum += weightY * weightX * data[(row * from + col) * heads + h]!;
            }
            out[(y * to + x) * heads + h] = sum;
          }
        }
      }
      return out;
    },
  };
}

/** For each new position, the old ones that it is made from and their weights. */
function interpolation(from: number, to: number): [index: number, weight: number][][] {
  const old = positions(from, to);
  return Array.from({ length: to }, (_, i) => {
    const at = i - (to - 1) / 2;
    const right = old.findIndex((position) => position >= at);
    if (right === 0) return [[0, 1]];
    if (right < 0) return [[from - 1, 1]];
    const share = (at - old[right - 1]!) / (old[right]! - old[right - 1]!);
    return [
      [right - 1, 1 - share],
      [right, share],
    ];
  });
}

/** Where the entries of an old axis stand on the new one: distances 1, 1 + q, 1 + q + q² … on both sides of 0. */
function positions(from: number, to: number): number[] {
  const half = (from - 1) / 2;
  const ratio = growth(half, (to - 1) / 2);
  const distances: number[] = [];
  for (let i = 0, distance = 1; i < half; i++) {
    distances.push(distance);
    distance += ratio ** (i + 1);
  }
  return [...distances.map((d) => -d).reverse(), 0, ...distances];
}

/** The ratio, between 1.01 and 1.5, whose geometric sum of `terms` terms comes closest to `reach`. */
function growth(terms: number, reach: number): number {
  let [low, high, middle] = [1.01, 1.5, 0];
  while (high - low > 1e-6) {
    middle = (low + high) / 2;
    if ((1 - middle ** terms) / (1 - middle) > reach) high = middle;
    else low = middle;
  }
  return middle;
}
