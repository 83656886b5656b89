import { PickleError } from './pickle-input.ts';

/** Bytes of one number of each type that a storage of PyTorch can have, in the words of the safetensors format. */
export const itemBytes: Readonly<Record<string, number>> = {
  C128: 16,
  F64: 8,
  C64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** A run of numbers that lies outside of the pickle, or in it (NumPy's arrays). */
export class TorchStorage {
  readonly dtype: string;
  /** Name of the run in the file. */
  readonly key: string;
  /** Numbers in the whole run. */
  readonly count: number;
  /** The first of them that belongs to this storage. */
  readonly first: number;
  /** The bytes, if they lie in the pickle; older protocols have them as a text of a byte a character. */
  readonly inside: Uint8Array | string | undefined;

  constructor(dtype: string, key: string, count: number, first = 0, inside?: Uint8Array | string) {
    this.dtype = dtype;
    this.key = key;
    this.count = count;
    this.first = first;
    this.inside = inside;
  }

  /** Bytes of the whole run. */
  get bytes(): number {
    return this.count * itemBytes[this.dtype]!;
  }
}

/** A view of a storage. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** In numbers, of each axis. */
  readonly strides: readonly number[];
  /** The first number, from the start of the storage's run. */
  readonly offset: number;

  /** @throws {@link PickleError} if the view leaves its storage. */
  constructor(
    storage: TorchStorage,
    offset: unknown,
    shape: unknown,
    strides: unknown,
    dtype = storage.dtype,
  ) {
    if (!natural(offset) || !naturals(shape) || !naturals(strides) || shape.length !== strides.length) {
      throw new PickleError('a tensor has no valid shape, strides or offset');
    }
    const held = Math.floor(storage.bytes / itemBytes[dtype]!);
    this.storage = storage;
    this.dtype = dtype;
    this.shape = [...shape]; // copies: a pickle can go on changing its lists
    this.strides = [...strides];
    this.offset = storage.first + offset;
    const { count, span } = this;
    if (this.offset + span > held) {
      throw new PickleError(
        `a tensor of shape [${shape}] with strides [${strides}] at ${this.offset} leaves its storage of ${held}`,
      );
    }
    if (count > Math.max(held, maxExpanded)) {
      throw new PickleError(`a tensor of shape [${shape}] repeats the ${held} numbers of its storage`);
    }
  }

  /** Numbers of the tensor. */
  get count(): number {
    return this.shape.includes(0) ? 0 : this.shape.reduce((a, b) => a * b, 1);
  }

  /** Numbers of the storage from the first to the last that it uses. */
  get span(): number {
    if (this.shape.includes(0)) return 0;
    return this.shape.reduce((sum, size, i) => sum + (size - 1) * this.strides[i]!, 1);
  }

  /** Whether its numbers stand in row-major order without holes. */
  get contiguous(): boolean {
    let step = 1;
    for (let i = this.shape.length - 1; i >= 0; i--) {
      if (this.shape[i] !== 1 && this.strides[i] !== step) return false;
      step *= this.shape[i]!;
    }
    return true;
  }
}

/** Most numbers of a view that has more of them than its storage (`expand`): enough for any table of positions. */
const maxExpanded = 65536;

/** Most axes of a tensor: that of PyTorch and NumPy. */
export const maxAxes = 64;

function natural(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function naturals(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= maxAxes && value.every(natural);
}

/**
 * The bytes of a view in row-major order.
 *
 * @param tensor The view.
 * @param bytes Those of its span.
 */
export function gather(tensor: TorchTensor, bytes: Uint8Array): Uint8Array {
  if (tensor.contiguous) return bytes;
  const size = itemBytes[tensor.dtype]!;
  const { shape, strides, count } = tensor;
  const out = new Uint8Array(count * size);
  const [from, to] = [items(bytes, size), items(out, size)];
  const position = shape.map(() => 0);
  let source = 0;
  for (let at = 0; at < count; at++) {
    to[at] = from[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      if (++position[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      position[axis] = 0;
    }
  }
  return out;
}

/** The bytes as integers of a size: they are only moved, and a float would not keep the bits of every NaN. */
function items(bytes: Uint8Array, size: number): Uint8Array {
  const array = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size]!;
  return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / size) as Uint8Array;
}
