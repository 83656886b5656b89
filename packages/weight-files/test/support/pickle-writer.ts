import { bytesOf, le } from './bytes.ts';
import { type EntryToWrite, zip } from './zip-writer.ts';

/** Opcodes of a pickle: what puts one value on the stack. */
export type Op = Uint8Array;

export function text(value: string): Op {
  const bytes = new TextEncoder().encode(value);
  return bytesOf(0x58, le(bytes.length, 4), bytes);
}

export function int(value: number): Op {
  if (!Number.isInteger(value)) return bytesOf('F', String(value), '\n');
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31
    ? bytesOf(0x4a, le(value, 4))
    : bytesOf(0x8a, 8, le(BigInt(value), 8));
}

export function global(module: string, name: string): Op {
  return bytesOf(`c${module}\n${name}\n`);
}

export function tuple(...items: Op[]): Op {
  return bytesOf('(', ...items, 't');
}

export function list(...items: Op[]): Op {
  return bytesOf('](', ...items, 'e');
}

export function dict(items: Readonly<Record<string, Op>>): Op {
  return bytesOf('}(', ...Object.entries(items).flatMap(([key, value]) => [text(key), value]), 'u');
}

export function reduce(callee: Op, ...args: Op[]): Op {
  return bytesOf(callee, tuple(...args), 'R');
}

/** A whole pickle of protocol 2. */
export function pickle(value: Op): Uint8Array {
  return bytesOf([0x80, 2], value, '.');
}

export const none: Op = bytesOf('N');

/** A reference to a storage, as PyTorch pickles it. */
export function storage(key: string, count: number, type = 'FloatStorage'): Op {
  return bytesOf(tuple(text('storage'), global('torch', type), text(key), text('cpu'), int(count)), 'Q');
}

/** How {@link tensor} views its storage. */
export interface View {
  key?: string;
  count?: number;
  type?: string;
  offset?: number;
  shape?: readonly number[];
  strides?: readonly number[];
}

/** A tensor, as PyTorch pickles it; by default four floats of storage '0'. */
export function tensor({
  key = '0',
  count = 4,
  type = 'FloatStorage',
  offset = 0,
  shape = [count],
  strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1)),
}: View = {}): Op {
  return reduce(
    global('torch._utils', '_rebuild_tensor_v2'),
    storage(key, count, type),
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    bytesOf(0x89),
    reduce(global('collections', 'OrderedDict')),
  );
}

/** A checkpoint as PyTorch writes it since 1.6. */
export function checkpoint(
  value: Op,
  storages: Readonly<Record<string, ArrayBufferView>> = { 0: new Float32Array([1, 2, 3, 4]) },
  { deflated = false, more = [] as EntryToWrite[] } = {},
): Uint8Array {
  return zip([
    { name: 'archive/data.pkl', data: pickle(value), deflated },
    { name: 'archive/byteorder', data: bytesOf('little') },
    ...Object.entries(storages).map(([key, data]) => ({
      name: `archive/data/${key}`,
      data: bytesOf(data),
      deflated,
    })),
    ...more,
  ]);
}

/** A checkpoint as PyTorch wrote it before 1.6. */
export function legacyCheckpoint(
  value: Op,
  storages: Readonly<Record<string, Float32Array>> = { 0: new Float32Array([1, 2, 3, 4]) },
): Uint8Array {
  return bytesOf(
    pickle(bytesOf([0x8a, 10], le(0xf9469cfc6cn, 5), le(0x1950a86a20n, 5))),
    pickle(int(1001)),
    pickle(bytesOf('}(', text('little_endian'), 0x88, 'u')),
    pickle(value),
    pickle(list(...Object.keys(storages).map(text))),
    ...Object.values(storages).flatMap((data) => [le(data.length, 8), data]),
  );
}
