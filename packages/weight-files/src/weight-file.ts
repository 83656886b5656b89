import type { TensorData } from '@e3va/adapter-core';
import { WeightFileError } from './errors.ts';

/** What a weight file says of one of its tensors before the values are read. */
export interface WeightEntry {
  /** Outermost axis first; empty for a scalar. */
  readonly shape: readonly number[];
  /** The type in the file, in the words of the safetensors format: `F32`, `F16`, `BF16`, `I64` and so on. */
  readonly dtype: string;
}

/** Memory that is used for one tensor after the other, so that reading many leaves no garbage. */
export class Scratch {
  private bytes = new Uint8Array();

  /** Memory of at least so many bytes. */
  atLeast(length: number): Uint8Array {
    if (this.bytes.byteLength < length) this.bytes = new Uint8Array(length);
    return this.bytes;
  }
}

/** An open weight file: names and shapes at once, values tensor by tensor. */
export interface WeightFile {
  /** What the file is called in messages. */
  readonly name: string;
  /** Its tensors by name, in the order of the file. */
  readonly entries: ReadonlyMap<string, WeightEntry>;
  /** Strings that the file carries beside its tensors. */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Reads one tensor. Small floats are widened to float32, integers of up to 32 bits and booleans come as int32 or uint8.
   *
   * @param scratch Memory that the values may lie in: they are overwritten by the next tensor that is read with it. Without it
   * they have memory of their own.
   * @throws {@link WeightFileError} if there is no such tensor, or its data are damaged.
   */
  read(tensor: string, scratch?: Scratch): Promise<TensorData>;
  /** Frees what is open; reading is an error afterwards. */
  close(): Promise<void>;
}

/**
 * Tensors in memory as a weight file: for weights that come from elsewhere.
 *
 * @param tensors Arrays by name.
 * @param options What the file is called in messages, and its metadata.
 *
 * @example
 * ```ts
 * import { memoryWeights } from '@e3va/weight-files';
 *
 * const file = memoryWeights({ 'fc.bias': { shape: [2], data: new Float32Array([1, 2]) } });
 * console.log(file.entries.get('fc.bias')?.shape, (await file.read('fc.bias')).data);
 * ```
 */
export function memoryWeights(
  tensors: Readonly<Record<string, TensorData>> | ReadonlyMap<string, TensorData>,
  { name = 'weights', metadata = {} }: { name?: string; metadata?: Record<string, string> } = {},
): WeightFile {
  const arrays = tensors instanceof Map ? tensors : new Map(Object.entries(tensors));
  const entries = new Map([...arrays].map(([key, { shape, data }]) => [key, { shape, dtype: typeOf(data) }]));
  return {
    name,
    entries,
    metadata,
    async read(tensor) {
      return arrays.get(tensor) ?? missing(name, tensor);
    },
    async close() {},
  };
}

function typeOf(data: TensorData['data']): string {
  if (data instanceof Float32Array) return 'F32';
  return data instanceof Int32Array ? 'I32' : 'U8';
}

/** The error of asking for a tensor that a file does not have. */
export function missing(file: string, tensor: string): never {
  throw new WeightFileError({ what: `${file} has no tensor '${tensor}'` });
}
