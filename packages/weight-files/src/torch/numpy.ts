import { PickleError } from './pickle-input.ts';
import { itemBytes, maxAxes, TorchStorage, TorchTensor } from './torch-tensor.ts';

/** NumPy's data types, by their short codes. */
const types: Readonly<Record<string, string>> = {
  f2: 'F16',
  f4: 'F32',
  f8: 'F64',
  i1: 'I8',
  i2: 'I16',
  i4: 'I32',
  i8: 'I64',
  u1: 'U8',
  u2: 'U16',
  u4: 'U32',
  u8: 'U64',
  b1: 'BOOL',
};

/** A data type of NumPy as pickles describe it: a code, and the order of the bytes as state. */
export class NumpyType {
  readonly code: string;
  order = '<';

  constructor(code: unknown) {
    this.code = typeof code === 'string' ? code : '';
  }

  /** State `(version, order, …)`. */
  build(state: unknown): void {
    if (Array.isArray(state) && typeof state[1] === 'string') this.order = state[1];
  }

  /** In the words of the safetensors format; undefined for texts, objects and numbers with the most significant byte first. */
  get dtype(): string | undefined {
    if (this.order === '>' || !Object.hasOwn(types, this.code)) return undefined;
    return types[this.code];
  }
}

/** An array of NumPy: empty when made, filled by its state. */
export class NumpyArray {
  /** The array, once its state is known and it holds plain numbers. */
  tensor: TorchTensor | undefined;

  /** State `(version, shape, type, whether columns come first, bytes)`. */
  build(state: unknown): void {
    if (!Array.isArray(state) || state.length < 5)
      throw new PickleError('an array of NumPy has no valid state');
    const [, shape, type, columnsFirst, content] = state;
    const dtype = type instanceof NumpyType ? type.dtype : undefined;
    if (!dtype || !Array.isArray(shape) || shape.length > maxAxes) return;
    if (typeof content !== 'string' && !(content instanceof Uint8Array)) return;
    const count = Math.floor(content.length / itemBytes[dtype]!);
    const storage = new TorchStorage(dtype, '', count, 0, content);
    this.tensor = new TorchTensor(storage, 0, shape, stridesOf(shape, columnsFirst === true));
  }
}

function stridesOf(shape: readonly unknown[], columnsFirst: boolean): number[] {
  const sizes = columnsFirst ? [...shape] : [...shape].reverse();
  let step = 1;
  const strides = sizes.map((size) => {
    const stride = step;
    step *= Number(size);
    return stride;
  });
  return columnsFirst ? strides : strides.reverse();
}

/** The bytes of a text of a byte a character. */
export function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The number of NumPy's scalars; undefined if it is none. */
export function numpyScalar(type: unknown, content: unknown): number | undefined {
  if (!(type instanceof NumpyType)) return undefined;
  if (typeof content !== 'string' && !(content instanceof Uint8Array)) return undefined;
  if (content.length !== Number(type.code.slice(1))) return undefined;
  const bytes = typeof content === 'string' ? latin1Bytes(content) : content;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.dtype) {
    case 'F32':
      return view.getFloat32(0, true);
    case 'F64':
      return view.getFloat64(0, true);
    case 'I32':
      return view.getInt32(0, true);
    case 'I64':
      return Number(view.getBigInt64(0, true));
    case 'BOOL':
      return bytes[0];
    default:
      return undefined;
  }
}
