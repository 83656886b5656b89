import { SafetensorsError } from './safetensors-error.ts';

/** The data types of the format; the small floats are widened to float32 when read. */
export type SafetensorsType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL';

/** Bytes of one number of each data type. */
export const bytesOf: Readonly<Record<SafetensorsType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

/**
 * The numbers of a tensor from its raw little-endian bytes: floats as Float32Array (F64 rounded, the smaller ones exactly), integers
 * as Int32Array, U8 and BOOL as Uint8Array.
 *
 * @param raw The bytes, a whole number of numbers. Where nothing is to be widened and they are aligned, the result lies in their
 * memory.
 * @param dtype What they are.
 * @param tensor What the tensor is called in the error.
 * @throws {@link SafetensorsError} if an integer does not fit into 32 bits.
 */
export function widenTensor(
  raw: Uint8Array,
  dtype: SafetensorsType,
  tensor: string,
): Float32Array | Int32Array | Uint8Array {
  const size = bytesOf[dtype];
  // a copy of its own where it is not aligned (slice() of a Node Buffer would be a view)
  const bytes = raw.byteOffset % size === 0 ? raw : new Uint8Array(raw);
  const all = [bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / size] as const;
  switch (dtype) {
    case 'F32':
      return new Float32Array(...all);
    case 'I32':
      return new Int32Array(...all);
    case 'F64':
      return new Float32Array(new Float64Array(...all));
    case 'F16':
      return byTable(new Uint16Array(...all), halves());
    case 'BF16':
      return fromBfloat16(new Uint16Array(...all));
    case 'F8_E4M3':
      return byTable(
        bytes,
        Float32Array.from({ length: 256 }, (_, b) => float8(b)),
      );
    case 'F8_E5M2':
      return byTable(
        bytes,
        Float32Array.from({ length: 256 }, (_, b) => halfToFloat(b * 256)),
      );
    case 'I16':
      return new Int32Array(new Int16Array(...all));
    case 'U16':
      return new Int32Array(new Uint16Array(...all));
    case 'I8':
      return new Int32Array(new Int8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength));
    case 'U32':
      return narrowed(new Uint32Array(...all), tensor);
    case 'I64':
      return narrowed(new BigInt64Array(...all), tensor);
    case 'U64':
      return narrowed(new BigUint64Array(...all), tensor);
    default:
      return bytes;
  }
}

function narrowed(values: Uint32Array | BigInt64Array | BigUint64Array, tensor: string): Int32Array {
  const out = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const n = Number(values[i]);
    if (n !== (n | 0)) {
      throw new SafetensorsError({
        what: `${tensor} holds a number beyond 32 bits`,
        received: `${values[i]} at position ${i}`,
      });
    }
    out[i] = n;
  }
  return out;
}

/** The upper half of single precision. */
function fromBfloat16(values: Uint16Array): Float32Array {
  const bits = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) bits[i] = values[i]! << 16;
  return new Float32Array(bits.buffer);
}

function byTable(values: Uint8Array | Uint16Array, table: Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = table[values[i]!]!;
  return out;
}

let table: Float32Array | undefined;

/** IEEE 754 half precision to single, all of it: backbones have millions of numbers. */
function halves(): Float32Array {
  table ??= Float32Array.from({ length: 65536 }, (_, h) => halfToFloat(h));
  return table;
}

/** One number of half precision; exact. */
function halfToFloat(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Eight bits with four of exponent, no infinities, and one NaN of each sign; exact. Source: arXiv 2209.05433, table 1. */
function float8(b: number): number {
  const sign = b & 0x80 ? -1 : 1;
  const exponent = (b >> 3) & 15;
  const fraction = b & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -9;
  return sign * (1 + fraction / 8) * 2 ** (exponent - 7);
}
