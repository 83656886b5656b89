/**
 * A sparse matrix by rows: row `targets[r]` holds `weights[e]` in column `columns[e]` for e from `starts[r]` up to
 * `starts[r + 1]`. Rows that are not listed are empty.
 */
export interface SparseRows {
  targets: Int32Array;
  starts: Int32Array;
  columns: Int32Array;
  weights: Float32Array;
}

/** Adds `matrix · x` to `out`; both have rows of `width` numbers. */
export function addProduct(matrix: SparseRows, x: Float32Array, width: number, out: Float32Array): void {
  const { targets, starts, columns, weights } = matrix;
  for (let r = 0; r < targets.length; r++) {
    const to = targets[r]! * width;
    const end = starts[r + 1]!;
    let e = starts[r]!;
    // four at a time: the row of the output is read and written a quarter as often
    for (; e + 4 <= end; e += 4) addFourRows(x, columns, weights, e, width, out, to);
    for (; e < end; e++) addRow(x, columns[e]! * width, weights[e]!, width, out, to);
  }
}

function addRow(
  x: Float32Array,
  from: number,
  weight: number,
  width: number,
  out: Float32Array,
  to: number,
): void {
  for (let i = 0; i < width; i++) out[to + i] = out[to + i]! + weight * x[from + i]!;
}

function addFourRows(
  x: Float32Array,
  columns: Int32Array,
  weights: Float32Array,
  e: number,
  width: number,
  out: Float32Array,
  to: number,
): void {
  const [a, b, c, d] = [
    columns[e]! * width,
    columns[e + 1]! * width,
    columns[e + 2]! * width,
    columns[e + 3]! * width,
  ];
  const [wa, wb, wc, wd] = [weights[e]!, weights[e + 1]!, weights[e + 2]!, weights[e + 3]!];
  for (let i = 0; i < width; i++) {
    out[to + i] = out[to + i]! + wa * x[a + i]! + wb * x[b + i]! + wc * x[c + i]! + wd * x[d + i]!;
  }
}

/** The transposed matrix of one with `columnCount` columns. */
export function transposedRows(matrix: SparseRows, columnCount: number): SparseRows {
  const { targets, starts, columns, weights } = matrix;
  const ends = new Int32Array(columnCount + 1);
  for (const column of columns) ends[column + 1]!++;
  for (let c = 0; c < columnCount; c++) ends[c + 1]! += ends[c]!;
  const startsOfColumns = ends.slice();
  const rows = new Int32Array(columns.length);
  const moved = new Float32Array(columns.length);
  for (let r = 0; r < targets.length; r++) {
    for (let e = starts[r]!; e < starts[r + 1]!; e++) {
      const place = ends[columns[e]!]!++;
      rows[place] = targets[r]!;
      moved[place] = weights[e]!;
    }
  }
  const all = Int32Array.from({ length: columnCount }, (_, c) => c);
  return { targets: all, starts: startsOfColumns, columns: rows, weights: moved };
}
