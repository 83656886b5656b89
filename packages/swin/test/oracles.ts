/** Plain loops that say what the operations mean; arrays are row-major. */

/** A map as nested access, zero outside. */
export function reader(data: ArrayLike<number>, [, height, width, channels]: number[]) {
  return (b: number, y: number, x: number, c: number): number =>
    y < height! && x < width! ? data[((b * height! + y) * width! + x) * channels! + c]! : 0;
}

/** Pads right and bottom, rolls by -shift, and lists windows and tokens in row-major order. */
export function partitionOracle(
  data: ArrayLike<number>,
  shape: number[],
  window: number,
  shift: number,
): number[] {
  const [batch, height, width, channels] = shape as [number, number, number, number];
  const [h, w] = [Math.ceil(height / window) * window, Math.ceil(width / window) * window];
  const at = reader(data, shape);
  const out: number[] = [];
  for (let b = 0; b < batch; b++)
    for (let wy = 0; wy < h; wy += window)
      for (let wx = 0; wx < w; wx += window)
        for (let y = wy; y < wy + window; y++)
          for (let x = wx; x < wx + window; x++)
            for (let c = 0; c < channels; c++) out.push(at(b, (y + shift) % h, (x + shift) % w, c));
  return out;
}

/** Region of a position of one axis on the rolled, padded map: 0 inside, 1 before the seam, 2 behind it. */
function region(i: number, size: number, window: number, shift: number): number {
  return (i >= size - window ? 1 : 0) + (i >= size - shift ? 1 : 0);
}

/** The shift mask, window by window and pair by pair. */
export function maskOracle(height: number, width: number, window: number, shift: number): number[] {
  const [h, w] = [Math.ceil(height / window) * window, Math.ceil(width / window) * window];
  const out: number[] = [];
  for (let wy = 0; wy < h; wy += window)
    for (let wx = 0; wx < w; wx += window) {
      const ids: number[] = [];
      for (let y = wy; y < wy + window; y++)
        for (let x = wx; x < wx + window; x++)
          ids.push(region(y, h, window, shift) * 3 + region(x, w, window, shift));
      for (const a of ids) for (const b of ids) out.push(a === b ? 0 : -100);
    }
  return out;
}

/** Row of the bias table for each pair of tokens. */
export function relativeIndex(window: number): number[] {
  const out: number[] = [];
  for (let a = 0; a < window ** 2; a++)
    for (let b = 0; b < window ** 2; b++) {
      const dy = Math.floor(a / window) - Math.floor(b / window);
      const dx = (a % window) - (b % window);
      out.push((dy + window - 1) * (2 * window - 1) + dx + window - 1);
    }
  return out;
}

/** Attention with plain loops; qkv [windows, tokens, 3, heads, depth], offset(window, head, query, key). */
export function attentionOracle(
  qkv: ArrayLike<number>,
  [windows, tokens, heads, depth]: [number, number, number, number],
  offset: (n: number, h: number, i: number, j: number) => number,
): number[] {
  const at = (n: number, t: number, part: number, h: number, d: number) =>
    qkv[(((n * tokens + t) * 3 + part) * heads + h) * depth + d]!;
  const depths = Array.from({ length: depth }, (_, d) => d);
  const keys = Array.from({ length: tokens }, (_, j) => j);
  const out: number[] = [];
  for (let n = 0; n < windows; n++)
    for (let i = 0; i < tokens; i++)
      for (let h = 0; h < heads; h++) {
        const scores = keys.map(
          (j) =>
            depths.reduce((sum, d) => sum + at(n, i, 0, h, d) * at(n, j, 1, h, d), 0) / Math.sqrt(depth) +
            offset(n, h, i, j),
        );
        const exps = scores.map((s) => Math.exp(s - Math.max(...scores)));
        const total = exps.reduce((a, b) => a + b, 0);
        for (const d of depths)
          out.push(keys.reduce((sum, j) => sum + (exps[j]! / total) * at(n, j, 2, h, d), 0));
      }
  return out;
}
