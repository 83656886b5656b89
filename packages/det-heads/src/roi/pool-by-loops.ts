import { binsOf, type PoolingTask } from './pooling.ts';
import { addProduct, type SparseRows, transposedRows } from './sparse-rows.ts';

/** Most weights that are held at a time, beyond those of one box: 4 MB. */
const chunkLimit = 1 << 19;

/** Adds the pooled regions of a map to `out`, [regions of all maps, h, w, channels]. */
export function poolByLoops(task: PoolingTask, map: Float32Array, out: Float32Array): void {
  for (const weights of weightsOf(task)) addProduct(weights, map, task.shape[3], out);
}

/** Adds to `gradient`, of the size of the map, what `dy`, [regions of all maps, h, w, channels], gives to it. */
export function unpoolByLoops(task: PoolingTask, dy: Float32Array, gradient: Float32Array): void {
  const [batch, height, width, channels] = task.shape;
  for (const weights of weightsOf(task)) {
    addProduct(transposedRows(weights, batch * height * width), dy, channels, gradient);
  }
}

/** The weights of the map's pixels in the bins, a row a bin, some boxes at a time. */
function* weightsOf(task: PoolingTask): Generator<SparseRows> {
  let chunk: (ReturnType<typeof binsOf> & { index: number })[] = [];
  let entries = 0;
  for (const index of task.picked) {
    const bins = binsOf(task, index);
    const own = bins.rows.pixels.length * bins.columns.pixels.length;
    if (chunk.length > 0 && entries + own > chunkLimit) {
      yield joined(task, chunk, entries);
      chunk = [];
      entries = 0;
    }
    chunk.push({ ...bins, index });
    entries += own;
  }
  if (chunk.length > 0) yield joined(task, chunk, entries);
}

function joined(
  { shape: [, height, width], rois, bins: { size } }: PoolingTask,
  chunk: (ReturnType<typeof binsOf> & { index: number })[],
  entries: number,
): SparseRows {
  const binsOfBox = size[0] * size[1];
  const targets = new Int32Array(chunk.length * binsOfBox);
  const starts = new Int32Array(targets.length + 1);
  const places = new Int32Array(entries);
  const weights = new Float32Array(entries);
  let row = 0;
  let at = 0;
  for (const { rows, columns, index } of chunk) {
    const image = rois.images[index]! * height;
    for (let bin = 0; bin < binsOfBox; bin++, row++) {
      const [i, j] = [Math.floor(bin / size[1]), bin % size[1]];
      for (let r = rows.starts[i]!; r < rows.starts[i + 1]!; r++) {
        const line = (image + rows.pixels[r]!) * width;
        for (let c = columns.starts[j]!; c < columns.starts[j + 1]!; c++, at++) {
          places[at] = line + columns.pixels[c]!;
          weights[at] = rows.weights[r]! * columns.weights[c]!;
        }
      }
      targets[row] = index * binsOfBox + bin;
      starts[row + 1] = at;
    }
  }
  return { targets, starts, columns: places, weights };
}
