import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { OnnxSizeError } from '../errors.ts';

/** Numbers of a weight, or made from weights: read when they are written. Arrays of one key are equal. */
export interface WeightArray {
  /** Says which weight, and what was done to it. */
  key: string;
  dims: readonly number[];
  /** The numbers, row by row. */
  read(): Promise<Float32Array>;
}

/** The number of entries. */
export const entries = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** The values of a weight, from whatever backend. */
export function weightArray(weight: LayerVariable): WeightArray {
  return {
    key: `weight${weight.id}`,
    dims: weight.shape as number[],
    read: async () => {
      const data = await weight.read().data();
      return data instanceof Float32Array ? data : Float32Array.from(data);
    },
  };
}

/** The same numbers in other dimensions. */
export function reshaped(array: WeightArray, dims: readonly number[]): WeightArray {
  return { ...array, key: `${array.key}:[${dims}]`, dims };
}

/** The axes in another order: axis i of the result is axis `order[i]`. */
export function permuted(array: WeightArray, order: readonly number[]): WeightArray {
  const dims = order.map((axis) => array.dims[axis]!);
  return {
    key: `${array.key}:(${order})`,
    dims,
    read: async () => permute(await array.read(), array.dims, order),
  };
}

function permute(data: Float32Array, from: readonly number[], order: readonly number[]): Float32Array {
  const strides = from.map((_, axis) => entries(from.slice(axis + 1)));
  const out = new Float32Array(data.length);
  let at = 0;
  const walk = (depth: number, start: number) => {
    const axis = order[depth]!;
    const [size, stride] = [from[axis]!, strides[axis]!];
    const last = depth === order.length - 1;
    for (let i = 0; i < size; i++) {
      if (last) out[at++] = data[start + i * stride]!;
      else walk(depth + 1, start + i * stride);
    }
  };
  walk(0, 0);
  return out;
}

/** An array computed from others. `name` says how, in the key. */
export function computed(
  name: string,
  from: readonly WeightArray[],
  dims: readonly number[],
  compute: (...data: Float32Array[]) => Float32Array,
): WeightArray {
  return {
    key: `${name}(${from.map(({ key }) => key)})`,
    dims,
    read: async () => {
      const data: Float32Array[] = [];
      for (const array of from) data.push(await array.read());
      return compute(...data);
    },
  };
}

/** The bytes of a typed array. */
export const bytesOf = (data: ArrayBufferView): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const bits = new Uint32Array(1);
const asFloat = new Float32Array(bits.buffer);

/**
 * Numbers as IEEE 754 half precision, rounded to nearest, ties to even.
 *
 * @throws {@link OnnxSizeError} for a number above 65504: half precision has no place for it.
 */
export function toHalf(data: Float32Array, name: string): Uint16Array {
  const halves = new Uint16Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    const half = halfOf(value);
    if ((half & 0x7fff) === 0x7c00 && Number.isFinite(value)) throw tooLarge(name, value);
    halves[i] = half;
  }
  return halves;
}

function tooLarge(name: string, value: number): OnnxSizeError {
  return new OnnxSizeError({
    what: `a weight is too large for half precision: ${name}`,
    expected: 'numbers up to 65504',
    received: `${value}`,
    fix: "use precision 'fp32'",
  });
}

function halfOf(value: number): number {
  asFloat[0] = value;
  const word = bits[0]!;
  const sign = (word >>> 16) & 0x8000;
  const size = word & 0x7fffffff;
  if (size >= 0x7f800000) return sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00); // not a number, infinite
  if (size >= 0x47800000) return sign | 0x7c00; // 2¹⁶ and above
  if (size < 0x38800000) return sign | roundEven(Math.abs(value) * 2 ** 24); // below 2⁻¹⁴: multiples of 2⁻²⁴
  const kept = size - 0x38000000; // the exponent's bias from 127 to 15
  return sign | ((kept + 0xfff + ((kept >>> 13) & 1)) >>> 13);
}

function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

/**
 * The largest code of a weight in 8 bits; codes are symmetric around 0. It is not 127, because processors without VNNI add pairs of
 * products of 8 bits in 16 bits and cut off what does not fit: 2 · 255 · 63 does.
 */
const mostCode = 63;

/** The step between two codes of each column of a matrix: its largest magnitude over 63. */
export function columnSteps(data: Float32Array, columns: number): Float32Array {
  const steps = new Float32Array(columns);
  for (let start = 0; start < data.length; start += columns) {
    for (let c = 0; c < columns; c++) steps[c] = Math.max(steps[c]!, Math.abs(data[start + c]!));
  }
  return steps.map((most) => (most === 0 ? 1 : most / mostCode));
}

/** The codes of a matrix, by the steps of its columns, from -63 to 63. */
export function columnCodes(data: Float32Array, columns: number): Int8Array {
  const factors = columnSteps(data, columns).map((step) => 1 / step);
  const codes = new Int8Array(data.length);
  for (let start = 0; start < data.length; start += columns) {
    for (let c = 0; c < columns; c++) codes[start + c] = Math.round(data[start + c]! * factors[c]!);
  }
  return codes;
}
