/** The leading part of a singular value decomposition, A ≈ U·diag(s)·Vᵀ. */
export interface LeadingSvd {
  /** Left vectors, [rows, rank]. */
  u: Float64Array;
  /** Singular values, falling. */
  s: Float64Array;
  /** Right vectors, [cols, rank]. */
  v: Float64Array;
}

/** Vectors that are carried along, beyond those wanted: they quicken the iteration. */
const extra = 8;
const iterations = 3;

/**
 * The leading singular vectors and values of a matrix by subspace iteration. U and V are orthonormal to rounding, and
 * A·V = U·diag(s) in the subspace that was found; how near that lies to the leading one depends on how fast the
 * singular values fall.
 *
 * Source: Halko, Martinsson and Tropp, arXiv 0909.4061, algorithms 4.4 and 5.1.
 *
 * @param a Row-major, [rows, cols].
 * @param rank At most the smaller size.
 */
export function leadingSvd(a: ArrayLike<number>, rows: number, cols: number, rank: number): LeadingSvd {
  const width = Math.min(rank + extra, rows, cols);
  // columns are stored one after the other
  let x: Float64Array[] = Array.from({ length: width }, (_, j) =>
    Float64Array.from({ length: cols }, (_, i) => a[j * cols + i]!),
  );
  let y: Float64Array[] = [];
  for (let i = 0; i < iterations; i++) {
    orthonormalise(x);
    y = x.map((column) => times(a, rows, cols, column));
    orthonormalise(y);
    x = y.map((column) => timesTransposed(a, rows, cols, column));
  }
  // A ≈ Y·Xᵀ: rotations that make the columns of X orthogonal give V·diag(s), and U from Y
  makeOrthogonal(x, y);
  const norms = x.map((column) => Math.sqrt(dot(column, column)));
  const best = norms.map((_, j) => j).sort((i, j) => norms[j]! - norms[i]!);
  const chosen = best.slice(0, rank);
  const pick = (columns: Float64Array[], size: number, scale: (j: number) => number) =>
    Float64Array.from({ length: size * rank }, (_, at) => {
      const j = chosen[at % rank]!;
      return columns[j]![Math.floor(at / rank)]! * scale(j);
    });
  return {
    u: pick(y, rows, () => 1),
    s: Float64Array.from(chosen, (j) => norms[j]!),
    v: pick(x, cols, (j) => 1 / (norms[j]! || 1)),
  };
}

function times(a: ArrayLike<number>, rows: number, cols: number, x: Float64Array): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0, at = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < cols; j++, at++) sum += a[at]! * x[j]!;
    out[i] = sum;
  }
  return out;
}

function timesTransposed(a: ArrayLike<number>, rows: number, cols: number, y: Float64Array): Float64Array {
  const out = new Float64Array(cols);
  for (let i = 0, at = 0; i < rows; i++) {
    const factor = y[i]!;
    for (let j = 0; j < cols; j++, at++) out[j] = out[j]! + a[at]! * factor;
  }
  return out;
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** Gram and Schmidt's method, each column twice, in place. */
function orthonormalise(columns: Float64Array[]): void {
  columns.forEach((column, j) => {
    for (let pass = 0; pass < 2; pass++) {
      for (const other of columns.slice(0, j)) {
        const share = dot(column, other);
        for (let i = 0; i < column.length; i++) column[i]! -= share * other[i]!;
      }
    }
    const norm = Math.sqrt(dot(column, column)) || 1;
    for (let i = 0; i < column.length; i++) column[i]! /= norm;
  });
}

/** Jacobi's one-sided method: rotates the columns of x until they are orthogonal, and those of y along. */
function makeOrthogonal(x: Float64Array[], y: Float64Array[]): void {
  for (let sweep = 0; sweep < 30; sweep++) {
    let worst = 0;
    for (let p = 0; p < x.length; p++) {
      for (let q = p + 1; q < x.length; q++) {
        const [pp, qq, pq] = [dot(x[p]!, x[p]!), dot(x[q]!, x[q]!), dot(x[p]!, x[q]!)];
        const cosine = Math.abs(pq) / (Math.sqrt(pp * qq) || 1);
        worst = Math.max(worst, cosine);
        if (cosine < 1e-12) continue;
        const tau = (qq - pp) / (2 * pq);
        const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(x[p]!, x[q]!, c, c * t);
        rotate(y[p]!, y[q]!, c, c * t);
      }
    }
    if (worst < 1e-10) return;
  }
}

function rotate(a: Float64Array, b: Float64Array, c: number, s: number): void {
  for (let i = 0; i < a.length; i++) {
    const [p, q] = [a[i]!, b[i]!];
    a[i] = c * p - s * q;
    b[i] = s * p + c * q;
  }
}
