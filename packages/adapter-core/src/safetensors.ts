import { E3vaError } from '@e3va/highway-grad';

/** A safetensors file is truncated, padded, inconsistent, or holds something that cannot be read here. */
export class SafetensorsError extends E3vaError {}

/** The data types of the format; the small floats are widened to float32 when read. */
export type SafetensorsType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

/** One tensor of a safetensors file, in row-major order. */
export interface SafetensorsTensor {
  /** The type in the file. */
  dtype: SafetensorsType;
  shape: number[];
  /** Float types as Float32Array, I64, I32, I16 and I8 as Int32Array, U8 and BOOL as Uint8Array. */
  data: Float32Array | Int32Array | Uint8Array;
}

/** The tensors and the string metadata of a safetensors file. */
export interface Safetensors {
  tensors: Map<string, SafetensorsTensor>;
  metadata: Record<string, string>;
}

/** What {@link encodeSafetensors} writes: Float32Array becomes F32, Int32Array I32, Uint8Array U8. */
export interface TensorData {
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
}

const bytesOf: Record<SafetensorsType, number> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** The format's own limit for the JSON header. */
const maxHeaderBytes = 100_000_000;

/**
 * Reads a safetensors file: eight bytes of header length, a JSON header, raw little-endian data.
 *
 * Every length and offset is checked before memory is taken: the tensors must lie inside the file, must not overlap,
 * must leave no gap, and must have the size that their shape and type say.
 *
 * Source: the format's description in the safetensors repository of Hugging Face.
 *
 * @param bytes The whole file.
 * @param name What the file is called in error messages.
 * @returns Tensors by name in the order of the header, and the `__metadata__` strings.
 * @throws {@link SafetensorsError} for anything that is not a whole, consistent safetensors file.
 *
 * @example
 * ```ts
 * import { decodeSafetensors, encodeSafetensors } from '@e3va/adapter-core';
 *
 * const bytes = encodeSafetensors({ w: { shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) } }, { made: 'here' });
 * const { tensors, metadata } = decodeSafetensors(bytes);
 * console.log(tensors.get('w')?.shape, metadata.made); // [2, 2] 'here'
 * ```
 */
export function decodeSafetensors(bytes: Uint8Array, name = 'safetensors file'): Safetensors {
  const { header, dataStart } = readHeader(bytes, name);
  const metadata = readMetadata(header, name);
  const body = bytes.byteLength - dataStart;
  const entries = Object.entries(header)
    .filter(([key]) => key !== '__metadata__')
    .map(([key, entry]) => checkEntry(key, entry, body, name));
  checkCoverage(entries, body, name);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const { key, dtype, shape, begin, end } of entries) {
    const raw = bytes.subarray(dataStart + begin, dataStart + end);
    tensors.set(key, { dtype, shape, data: widen(raw, dtype, key, name) });
  }
  return { tensors, metadata };
}

/**
 * Writes tensors and metadata as a safetensors file. The same input gives the same bytes.
 *
 * @param tensors By name; written in the order of the names.
 * @param metadata Strings for the header's `__metadata__`.
 * @returns The bytes of the file.
 * @throws {@link SafetensorsError} if data and shape disagree.
 */
export function encodeSafetensors(
  tensors: Record<string, TensorData>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const names = Object.keys(tensors).sort();
  let offset = 0;
  for (const key of names) {
    const { shape, data } = tensors[key]!;
    if (sizeOf(shape) !== data.length) {
      throw new SafetensorsError({
        what: `tensor '${key}' cannot be written: its data do not fill its shape`,
        expected: `${sizeOf(shape)} numbers for shape [${shape}]`,
        received: `${data.length} numbers`,
      });
    }
    header[key] = { dtype: typeOf(data), shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  let json = JSON.stringify(header);
  const unpadded = new TextEncoder().encode(json).byteLength;
  json += ' '.repeat((8 - (unpadded % 8)) % 8);
  const head = new TextEncoder().encode(json);
  const out = new Uint8Array(8 + head.byteLength + offset);
  new DataView(out.buffer).setBigUint64(0, BigInt(head.byteLength), true);
  out.set(head, 8);
  let at = 8 + head.byteLength;
  for (const key of names) {
    const { data } = tensors[key]!;
    out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return out;
}

interface Entry {
  key: string;
  dtype: SafetensorsType;
  shape: number[];
  begin: number;
  end: number;
}

function readHeader(bytes: Uint8Array, name: string): { header: Record<string, unknown>; dataStart: number } {
  const broken = (what: string, received?: string) =>
    new SafetensorsError({
      what: `${name}: ${what}`,
      received,
      fix: 'the file is damaged or is no safetensors file: download or save it again',
    });
  if (bytes.byteLength < 8)
    throw broken('shorter than the eight bytes of a header length', `${bytes.byteLength} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes) || length > BigInt(bytes.byteLength - 8)) {
    throw broken(
      'the header is longer than the file or than the format allows',
      `${length} bytes of header in a file of ${bytes.byteLength} bytes`,
    );
  }
  const end = 8 + Number(length);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, end)));
  } catch (cause) {
    throw broken('the header is not JSON', (cause as Error).message);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw broken('the header is no JSON object');
  return { header: header as Record<string, unknown>, dataStart: end };
}

function readMetadata(header: Record<string, unknown>, name: string): Record<string, string> {
  const raw = Object.hasOwn(header, '__metadata__') ? header.__metadata__ : {};
  const valid =
    typeof raw === 'object' &&
    raw !== null &&
    !Array.isArray(raw) &&
    Object.values(raw).every((v) => typeof v === 'string');
  if (!valid) throw new SafetensorsError({ what: `${name}: __metadata__ is not a map of strings` });
  return { ...(raw as Record<string, string>) };
}

function checkEntry(key: string, entry: unknown, body: number, name: string): Entry {
  const fail = (what: string, expected?: string, received?: string) => {
    throw new SafetensorsError({ what: `${name}: tensor '${key}': ${what}`, expected, received });
  };
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) {
    fail('unknown data type', Object.keys(bytesOf).join(', '), String(dtype));
  }
  const natural = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(natural))
    fail('the shape is no list of sizes', undefined, JSON.stringify(shape));
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(natural)) {
    fail('data_offsets are no pair of positions', undefined, JSON.stringify(offsets));
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > body) {
    fail(
      'its data lie outside the file (truncated?)',
      `at most ${body} bytes of data`,
      `positions ${begin} to ${end}`,
    );
  }
  const size = sizeOf(shape as number[]) * bytesOf[dtype as SafetensorsType];
  if (size !== end - begin) fail('its data do not fill its shape', `${size} bytes`, `${end - begin} bytes`);
  return { key, dtype: dtype as SafetensorsType, shape: shape as number[], begin, end };
}

/** The format wants the data section covered exactly: no overlap, no gap, nothing behind. */
function checkCoverage(entries: Entry[], body: number, name: string): void {
  let at = 0;
  for (const { key, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at) {
      throw new SafetensorsError({
        what: `${name}: tensor '${key}' ${begin < at ? 'overlaps another' : 'leaves a gap before it'}`,
        expected: `data from position ${at}`,
        received: `data from position ${begin}`,
      });
    }
    at = end;
  }
  if (at !== body) {
    throw new SafetensorsError({
      what: `${name}: the file does not end with its last tensor`,
      expected: `${at} bytes of data`,
      received: `${body} bytes of data`,
    });
  }
}

function widen(
  raw: Uint8Array,
  dtype: SafetensorsType,
  key: string,
  name: string,
): SafetensorsTensor['data'] {
  // a copy of its own: aligned, and the file's bytes can be freed (slice() of a Node Buffer would be a view)
  const bytes = new Uint8Array(raw);
  switch (dtype) {
    case 'F32':
      return new Float32Array(bytes.buffer);
    case 'I32':
      return new Int32Array(bytes.buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(bytes.buffer));
    case 'F16':
      return fromHalf(new Uint16Array(bytes.buffer));
    case 'BF16': {
      const bits = Uint32Array.from(new Uint16Array(bytes.buffer), (h) => h * 65536);
      return new Float32Array(bits.buffer);
    }
    case 'I16':
      return Int32Array.from(new Int16Array(bytes.buffer));
    case 'I8':
      return Int32Array.from(new Int8Array(bytes.buffer));
    case 'I64':
      return Int32Array.from(Array.from(new BigInt64Array(bytes.buffer)), (v) => {
        const n = Number(v);
        if (n === (n | 0)) return n;
        throw new SafetensorsError({
          what: `${name}: tensor '${key}' holds a 64-bit number beyond 32 bits`,
          received: `${v}`,
        });
      });
    default:
      return bytes;
  }
}

let halves: Float32Array | undefined;

/** IEEE 754 half precision to single; by a table, for backbones have millions of numbers. */
function fromHalf(values: Uint16Array): Float32Array {
  halves ??= Float32Array.from({ length: 65536 }, (_, h) => halfToFloat(h));
  const out = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) out[i] = halves[values[i]!]!;
  return out;
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

function sizeOf(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function typeOf(data: TensorData['data']): SafetensorsType {
  if (data instanceof Float32Array) return 'F32';
  return data instanceof Int32Array ? 'I32' : 'U8';
}
