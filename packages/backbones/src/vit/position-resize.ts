import { floats, type WeightResize } from '@e3va/weight-files';
import { cubicMatrix } from './cubic.ts';

/** Side of the grid of a position table, and whether its first row is the class token's; undefined if it is no square. */
export function gridOf(rows: number): { grid: number; withClass: boolean } | undefined {
  for (const withClass of [true, false]) {
    const grid = Math.sqrt(withClass ? rows - 1 : rows);
    if (Number.isInteger(grid) && grid > 0) return { grid, withClass };
  }
  return undefined;
}

/**
 * Resizes position tables [1, rows, channels] to another grid, bicubic as a ViT does it for images of another size. Tables
 * without a row for the class token stay without.
 *
 * @param grid Side of the new grid.
 */
export function positionResize(
  grid: number,
  channels: number,
  { antialias, withClass }: { antialias: boolean; withClass: boolean },
): WeightResize {
  return {
    accepts: ([one, rows = 0, columns]) =>
      one === 1 && columns === channels && gridOf(rows)?.withClass === withClass,
    apply: (array) => {
      const from = gridOf(array.shape[1]!)!.grid;
      const matrix = cubicMatrix(grid, from, antialias);
      const extra = withClass ? channels : 0;
      const data = floats(array);
      const out = new Float32Array(extra + grid * grid * channels);
      out.set(data.subarray(0, extra));
      const wide = product(matrix, data.subarray(extra), [grid, from, from * channels]);
      for (let y = 0; y < grid; y++) {
        const row = wide.subarray(y * from * channels, (y + 1) * from * channels);
        out.set(product(matrix, row, [grid, from, channels]), extra + y * grid * channels);
      }
      return out;
    },
  };
}

/** [m, k] · [k, n]. */
function product(a: Float32Array, b: Float32Array, [m, k, n]: [number, number, number]): Float32Array {
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const factor = a[i * k + p]!;
      if (factor === 0) continue;
      for (let j = 0; j < n; j++) out[i * n + j]! += factor * b[p * n + j]!;
    }
  }
  return out;
}
