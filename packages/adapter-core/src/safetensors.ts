import { SafetensorsError } from './safetensors-error.ts';
import { parseSafetensorsHeader, safetensorsHeaderLength } from './safetensors-header.ts';
import { type SafetensorsType, widenTensor } from './widen.ts';

/** One tensor of a safetensors file, in row-major order. */
export interface SafetensorsTensor {
  /** The type in the file. */
  dtype: SafetensorsType;
  shape: number[];
  /** Float types as Float32Array, integers as Int32Array, U8 and BOOL as Uint8Array. */
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
  const dataStart = 8 + safetensorsHeaderLength(bytes.subarray(0, 8), bytes.byteLength, name);
  const { entries, metadata } = parseSafetensorsHeader(
    bytes.subarray(8, dataStart),
    bytes.byteLength - dataStart,
    name,
  );
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [key, { dtype, shape, begin, end }] of entries) {
    // a copy of its own, so that the file's bytes can be freed (slice() of a Node Buffer would be a view)
    const raw = new Uint8Array(bytes.subarray(dataStart + begin, dataStart + end));
    const data = widenTensor(raw, dtype, `${name}: tensor '${key}'`);
    tensors.set(key, { dtype, shape: [...shape], data });
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

function sizeOf(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function typeOf(data: TensorData['data']): SafetensorsType {
  if (data instanceof Float32Array) return 'F32';
  return data instanceof Int32Array ? 'I32' : 'U8';
}
