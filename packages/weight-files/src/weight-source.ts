import type { TensorData } from '@e3va/adapter-core';

/** One array of a file that a weight of a model is made from. */
export interface WeightPart {
  /** Name in the file. */
  name: string;
  /** Shape that it must have there. */
  shape: readonly number[];
}

/** How an array of another shape is brought into the one that is wanted. */
export interface WeightResize {
  /** Whether an array of this shape can be. */
  accepts: (shape: readonly number[]) => boolean;
  /** The numbers in the shape that is wanted. */
  apply: (array: TensorData) => Float32Array;
}

/** Where the value of one weight of a model comes from. {@link asIs}, {@link linear} and the others make them. */
export interface WeightSource {
  /** The arrays it is made from; more than one where the file keeps apart what the model joins. */
  parts: readonly WeightPart[];
  /**
   * Brings the arrays into the model's layout; without it the only one is taken as it is. `memory`, of the size of the result, may be
   * used for it.
   */
  convert?: (arrays: readonly TensorData[], memory?: Float32Array) => Float32Array;
  /** For arrays that may come in another shape than their part's: position tables of another window or image size. */
  resize?: WeightResize;
  /** Number to fill the weight with where the file lacks it; without it, that is an error. */
  otherwise?: number;
}

/** The array as it stands in the file: biases, scales of norms, tables. */
export function asIs(name: string, shape: readonly number[]): WeightSource {
  return { parts: [{ name, shape }] };
}

/** The array of a file whose axes of size one stand otherwise: any shape of the same numbers in the same order. */
export function reshaped(name: string, fileShape: readonly number[]): WeightSource {
  return { parts: [{ name, shape: fileShape }], convert: ([array]) => floats(array!) };
}

/** A matrix of PyTorch's linear layer, [out, in] in the file, for a kernel [in, out]. */
export function linear(name: string, [inputs, outputs]: readonly [number, number]): WeightSource {
  return {
    parts: [{ name, shape: [outputs, inputs] }],
    convert: ([array], memory) => transposed(array!, outputs, memory),
  };
}

/**
 * Matrices of several linear layers, [out, in] each, side by side in one kernel [in, sum of out]: queries, keys and
 * values.
 */
export function linears(
  names: readonly string[],
  [inputs, outputs]: readonly [number, number],
): WeightSource {
  const each = outputs / names.length;
  return {
    parts: names.map((name) => ({ name, shape: [each, inputs] })),
    convert: (arrays, memory = new Float32Array(inputs * outputs)) => {
      arrays.forEach((array, i) => {
        transposed(array, each, memory, { stride: outputs, offset: i * each });
      });
      return memory;
    },
  };
}

/** Vectors of several layers, end to end in one: biases of queries, keys and values. */
export function vectors(names: readonly string[], size: number): WeightSource {
  return { parts: names.map((name) => ({ name, shape: [size / names.length] })), convert: joined };
}

/**
 * A convolution of PyTorch, [out, in, rows, columns] in the file, for a kernel [rows, columns, in, out]. One of groups of a
 * single channel (depthwise), [channels, 1, rows, columns] there, becomes [rows, columns, channels, 1].
 */
export function conv(
  name: string,
  [rows, columns, inputs, outputs]: readonly [number, number, number, number],
  { depthwise = false }: { depthwise?: boolean } = {},
): WeightSource {
  const shape = depthwise ? [inputs, 1, rows, columns] : [outputs, inputs, rows, columns];
  return {
    parts: [{ name, shape }],
    convert: ([array]) => {
      const area = rows * columns;
      if (depthwise) return transposed(array!, inputs);
      const out = new Float32Array(array!.data.length);
      const { data } = array!;
      for (let o = 0, at = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) {
          for (let p = 0; p < area; p++) out[(p * inputs + i) * outputs + o] = data[at++]!;
        }
      }
      return out;
    },
  };
}

/** The same source under a prefix. */
export function prefixed(source: WeightSource, prefix: string): WeightSource {
  return { ...source, parts: source.parts.map((part) => ({ ...part, name: prefix + part.name })) };
}

/** The numbers of an array as float32; not a copy if they are already. */
export function floats({ data }: TensorData): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data);
}

function joined(arrays: readonly TensorData[]): Float32Array {
  const all = new Float32Array(arrays.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of arrays) {
    all.set(data, at);
    at += data.length;
  }
  return all;
}

/** Rows that are transposed at a time: what they write stays in the processor's cache. */
const band = 32;

/**
 * [rows, rest] to [rest, rows], in row-major order; by squares of four, which need a third of the time of single numbers.
 *
 * @param out Where it goes; fresh memory by default.
 * @param place How far the rows of the result lie apart in `out`, and where the first one begins: to lay several side by side.
 */
export function transposed(
  { data }: TensorData,
  rows: number,
  out: Float32Array = new Float32Array(data.length),
  { stride, offset }: { stride: number; offset: number } = { stride: rows, offset: 0 },
): Float32Array {
  const cols = data.length / rows;
  const [wholeRows, wholeCols] = [rows - (rows % 4), cols - (cols % 4)];
  for (let r0 = 0; r0 < wholeRows; r0 += band) {
    const r1 = Math.min(wholeRows, r0 + band);
    for (let c = 0; c < wholeCols; c += 4) {
      for (let r = r0; r < r1; r += 4) square(data, out, r * cols + c, cols, offset + c * stride + r, stride);
    }
  }
  for (let r = 0; r < rows; r++) {
    for (let c = r < wholeRows ? wholeCols : 0; c < cols; c++)
      out[offset + c * stride + r] = data[r * cols + c]!;
  }
  return out;
}

/**
 * Transposes four by four numbers, from `data` at `a` with rows of `cols` to `out` at `p` with rows of `stride`. It is called millions of
 * times: nothing may be allocated here.
 */
function square(
  data: TensorData['data'],
  out: Float32Array,
  a: number,
  cols: number,
  p: number,
  stride: number,
): void {
  const b = a + cols;
  const c = b + cols;
  const d = c + cols;
  const q = p + stride;
  const r = q + stride;
  const s = r + stride;
  out[p] = data[a]!;
  out[p + 1] = data[b]!;
  out[p + 2] = data[c]!;
  out[p + 3] = data[d]!;
  out[q] = data[a + 1]!;
  out[q + 1] = data[b + 1]!;
  out[q + 2] = data[c + 1]!;
  out[q + 3] = data[d + 1]!;
  out[r] = data[a + 2]!;
  out[r + 1] = data[b + 2]!;
  out[r + 2] = data[c + 2]!;
  out[r + 3] = data[d + 2]!;
  out[s] = data[a + 3]!;
  out[s + 1] = data[b + 3]!;
  out[s + 2] = data[c + 3]!;
  out[s + 3] = data[d + 3]!;
}
