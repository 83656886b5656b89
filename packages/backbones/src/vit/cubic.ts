/**
 * The matrix [to, from] of bicubic resizing along one axis, with half-pixel centres and the edge pixels repeated.
 *
 * Equal to PyTorch's `interpolate(mode='bicubic', align_corners=False)`; with `antialias` to that of `antialias=True`, whose
 * kernel is wider where it shrinks, sharper (a = -0.5 instead of -0.75), and cut off at the edges.
 *
 * Source: Keys, IEEE Trans. ASSP 29 (1981), equation 4.
 */
export function cubicMatrix(to: number, from: number, antialias: boolean): Float32Array {
  const matrix = new Float32Array(to * from);
  for (let i = 0; i < to; i++) {
    const row = matrix.subarray(i * from, (i + 1) * from);
    if (antialias) smoothRow(row, ((i + 0.5) * from) / to, from / to);
    else plainRow(row, ((i + 0.5) * from) / to - 0.5);
  }
  return matrix;
}

function plainRow(row: Float32Array, position: number): void {
  const low = Math.floor(position);
  for (let j = low - 1; j <= low + 2; j++) {
    row[Math.min(row.length - 1, Math.max(0, j))]! += cubic(position - j, -0.75);
  }
}

/** A row around a centre that is counted from the edge of the first pixel. */
function smoothRow(row: Float32Array, centre: number, ratio: number): void {
  const scale = Math.max(1, ratio);
  const first = Math.max(0, Math.floor(centre - 2 * scale + 0.5));
  const end = Math.min(row.length, Math.floor(centre + 2 * scale + 0.5));
  const weights = Array.from({ length: end - first }, (_, k) =>
    cubic((first + k + 0.5 - centre) / scale, -0.5),
  );
  const sum = weights.reduce((a, b) => a + b, 0);
  weights.forEach((weight, k) => {
    row[first + k] = weight / sum;
  });
}

function cubic(distance: number, a: number): number {
  const x = Math.abs(distance);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? a * (((x - 5) * x + 8) * x - 4) : 0;
}
