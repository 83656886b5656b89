import type { Place, Workspace } from './workspace.ts';

/** What a fused product adds: the native ids and codes of bias and activation. */
export interface Epilogue {
  activation: number;
  bias: number;
  leakyreluAlpha: number;
}

/** No bias, no activation. */
export const noEpilogue: Epilogue = { activation: 0, bias: 0, leakyreluAlpha: 0 };

/**
 * XNNPACK packs the right operand at every product, at 3 to 5 ns an element, and keeps the packed copy until that
 * tensor is disposed: every weight matrix then takes its memory twice. From this many rows on, packing again each time
 * costs little, and the copy is dropped; with fewer rows it stays.
 */
export const rowsThatRepayPacking = 512;

/** The shape under which the data of a tensor stays packed. */
const packedAs = new WeakMap<object, string>();

/**
 * Whether a tensor's data may stay packed as a [k, n] matrix. The native kernels look a packed copy up by the tensor
 * alone and compute nonsense where the same data came under another shape before; so only the first shape stays.
 */
export function mayStayPacked(dataId: object, k: number, n: number): boolean {
  const shape = `${k}×${n}`;
  const first = packedAs.get(dataId) ?? shape;
  packedAs.set(dataId, first);
  return first === shape;
}

/**
 * One product [m, k]·[k, n] by XNNPACK, at about 30 GFLOP/s and 1 µs a call.
 *
 * @param b The place of the right operand, or the native id of one whose packed copy may stay as long as the id.
 */
export function gemm(
  ws: Workspace,
  a: Place,
  b: Place | number,
  out: Place,
  { m, k, n }: { m: number; k: number; n: number },
  { activation, bias, leakyreluAlpha }: Epilogue = noEpilogue,
): void {
  const mark = ws.viewCount;
  const idA = ws.view(a, m * k);
  const idB = typeof b === 'number' ? b : ws.view(b, k * n);
  const idOut = ws.view(out, m * n);
  const shapes = ws.ints([1, m, k, 1, k, n]);
  const fn = ws.native('_FusedMatMul', 13);
  fn(idA, shapes, 3, idB, shapes + 12, 3, 0, 0, activation, bias, 0, leakyreluAlpha, idOut);
  ws.dropViews(mark);
}
