import * as tf from '@tensorflow/tfjs-core';
import { type KernelCall, sizeOf, type WasmKernel } from './backend.ts';
import { inWorkspace, type Place, type Workspace } from './workspace.ts';

/** Elements that one step of a column sum adds. */
const chunk = 65536;

/**
 * `Sum` over axes that are not the last ones: wasm's own one transposes a copy of the whole input first. Used by every
 * bias gradient.
 */
export const sum: WasmKernel = (call, original) => reduce(call, false) ?? original(call);

/** `Mean`, likewise. */
export const mean: WasmKernel = (call, original) => reduce(call, true) ?? original(call);

function reduce({ inputs, attrs, backend }: KernelCall, average: boolean): tf.TensorInfo | undefined {
  const x = inputs.x!;
  const axes = tf.util.parseAxisParam(attrs.axis, x.shape).sort((a, b) => a - b);
  const first = axes[0] ?? 0;
  const neighbours = axes.every((axis, i) => axis === first + i);
  const outer = sizeOf(x.shape.slice(0, first));
  const rows = sizeOf(axes.map((axis) => x.shape[axis]!));
  const columns = sizeOf(x.shape.slice(first + axes.length));
  if (x.dtype !== 'float32' || !neighbours || rows < 2 || columns < 4 || outer === 0) return undefined;
  const kept = attrs.keepDims ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d)) : undefined;
  return inWorkspace(backend, (ws) => {
    const out = ws.make(kept ?? x.shape.filter((_, i) => !axes.includes(i)));
    for (let o = 0; o < outer; o++) {
      sumRows(
        ws,
        { info: x, at: o * rows * columns },
        undefined,
        { info: out, at: o * columns },
        rows,
        columns,
      );
    }
    if (average) scale(ws, out, 1 / rows);
    return ws.keep(out);
  });
}

/** x *= factor */
function scale(ws: Workspace, x: tf.TensorInfo, factor: number): void {
  const values = ws.floats(x);
  for (let i = 0; i < values.length; i++) values[i]! *= factor;
}

/**
 * out[c] = Σ_r a[r, c] (·b[r, c]): rows are added chunk on chunk, then the halves of the chunk, so that few numbers
 * are added one after the other.
 */
export function sumRows(
  ws: Workspace,
  a: Place,
  b: Place | undefined,
  out: Place,
  rows: number,
  columns: number,
): void {
  const perChunk = Math.min(rows, Math.max(1, Math.floor(chunk / columns)));
  const total = { info: ws.make([perChunk * columns]), at: 0 };
  const product = b && { info: ws.make([perChunk * columns]), at: 0 };
  for (let row = 0; row < rows; row += perChunk) {
    const size = Math.min(perChunk, rows - row) * columns;
    const place = ({ info, at }: Place) => ({ info, at: at + row * columns });
    const term = product ?? place(a);
    if (product) combine(ws, 'Multiply', place(a), place(b!), row === 0 ? total : product, size);
    if (row > 0) combine(ws, 'Add', total, term, total, size);
    else if (!product) ws.floats(total.info).set(ws.floats(a.info).subarray(a.at, a.at + size));
  }
  let left = perChunk;
  while (left > 1) {
    const half = left >> 1;
    const upper = { info: total.info, at: (left - half) * columns };
    combine(ws, 'Add', total, upper, total, half * columns);
    left -= half;
  }
  ws.floats(out.info).set(ws.floats(total.info).subarray(0, columns), out.at);
  ws.free(total.info);
  if (product) ws.free(product.info);
}

function combine(
  ws: Workspace,
  name: 'Add' | 'Multiply',
  a: Place,
  b: Place,
  out: Place,
  size: number,
): void {
  const mark = ws.viewCount;
  const shape = ws.ints([size]);
  ws.native(name, 8)(ws.view(a, size), shape, 1, ws.view(b, size), shape, 1, 0, ws.view(out, size));
  ws.dropViews(mark);
}
