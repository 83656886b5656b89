import { damaged } from '../damaged.ts';
import { WeightFileError } from '../errors.ts';

type H5wasm = typeof import('h5wasm');

/** A dataset of an HDF5 file. */
export interface H5Dataset {
  path: string;
  shape: readonly number[];
  /** In the words of the safetensors format. */
  dtype: string;
}

/** An open HDF5 file. */
export interface H5File {
  /** All datasets of numbers, under the groups. */
  datasets: readonly H5Dataset[];
  /** A text that the root carries. */
  text(attribute: string): string | undefined;
  /** The raw little-endian bytes of a dataset. */
  read(path: string): Uint8Array;
  close(): void;
}

/** Groups deeper than this, and more members than this, are not looked into: links may lead in circles. */
const maxDepth = 32;
const maxMembers = 100_000;

let opened = 0;

/**
 * Opens an HDF5 file by the package h5wasm, HDF5's own library in WebAssembly. Links to other files are not followed.
 *
 * @param bytes The whole file; they are taken over.
 * @throws {@link WeightFileError} if the package is not installed or the file is damaged.
 */
export async function openHdf5(bytes: Uint8Array, name: string): Promise<H5File> {
  const h5 = await load(name);
  const module = await h5.ready;
  const fs = module.FS as unknown as Files;
  const size = bytes.byteLength;
  const path = `/e3va-${++opened}.h5`; // never twice: the library keeps what it knows of a path
  const run = <T>(what: string, action: () => T): T => {
    try {
      return silently(fs, action);
    } catch (cause) {
      if (cause instanceof WeightFileError) throw cause;
      throw damaged(name, what, { received: 'an error of the HDF5 library' }, cause);
    }
  };
  fs.writeFile(path, bytes, { canOwn: true });
  let file: InstanceType<H5wasm['File']> | undefined;
  const close = () => {
    try {
      silently(fs, () => file?.close());
    } catch {
      // a damaged file may not even close
    }
    file = undefined;
    if (fs.analyzePath(path).exists) fs.unlink(path);
  };
  try {
    const open = run('the HDF5 file cannot be opened', () => new h5.File(path, 'r'));
    file = open;
    const datasets = run('the HDF5 file is damaged', () => list(h5, open, name));
    return {
      datasets,
      text: (attribute) => run('the HDF5 file is damaged', () => textOf(open, attribute)),
      read(dataset) {
        if (!file) throw new WeightFileError({ what: `${name} was closed and can no longer be read` });
        return run(`dataset '${dataset}' cannot be read`, () => {
          const found = open.get(dataset) as InstanceType<H5wasm['Dataset']>;
          return rawBytes(found, name, size);
        });
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function load(name: string): Promise<H5wasm> {
  try {
    return await import('h5wasm');
  } catch (cause) {
    throw new WeightFileError(
      {
        what: `${name} is an HDF5 file, and the package that reads them is not installed`,
        fix: 'npm install h5wasm',
      },
      { cause },
    );
  }
}

/** What is used of the library's file system. */
interface Files {
  writeFile(path: string, bytes: Uint8Array, options: { canOwn: boolean }): void;
  unlink(path: string): void;
  analyzePath(path: string): { exists: boolean };
  streams: ({ stream_ops: object } | undefined)[];
}

/** Runs an action while the library's own reports of errors go nowhere: they would fill the console. */
function silently<T>(fs: Files, action: () => T): T {
  const errors = fs.streams[2];
  const before = errors?.stream_ops;
  const write = (_stream: unknown, _bytes: unknown, _offset: number, length: number) => length;
  if (errors) errors.stream_ops = { ...before, write };
  try {
    return action();
  } finally {
    if (errors) errors.stream_ops = before!;
  }
}

function list(h5: H5wasm, root: InstanceType<H5wasm['File']>, name: string): H5Dataset[] {
  const found: H5Dataset[] = [];
  let left = maxMembers;
  const walk = (group: InstanceType<H5wasm['Group']>, path: string, depth: number): void => {
    if (depth > maxDepth) throw damaged(name, 'the groups of the HDF5 file are nested too deep');
    for (const key of group.keys()) {
      if (left-- <= 0) throw damaged(name, `the HDF5 file has more than ${maxMembers} members`);
      const member = group.get(key);
      const at = path === '' ? key : `${path}/${key}`;
      if (member instanceof h5.Group) walk(member, at, depth + 1);
      else if (member instanceof h5.Dataset) {
        const dtype = typeOf(member);
        if (dtype !== undefined) found.push({ path: at, shape: member.shape ?? [], dtype });
      }
    }
  };
  walk(root, '', 0);
  return found;
}

/** Plain numbers with the least significant byte first; undefined for texts, tables and others. */
function typeOf(dataset: InstanceType<H5wasm['Dataset']>): string | undefined {
  const { type, size, signed, littleEndian, vlen } = dataset.metadata;
  if (vlen || (!littleEndian && size > 1) || dataset.shape === null) return undefined;
  if (type === 1) return { 4: 'F32', 8: 'F64' }[size];
  if (type !== 0 || ![1, 2, 4, 8].includes(size)) return undefined;
  return `${signed ? 'I' : 'U'}${8 * size}`;
}

function rawBytes(dataset: InstanceType<H5wasm['Dataset']>, name: string, fileBytes: number): Uint8Array {
  const size = (dataset.shape ?? []).reduce((a, b) => a * b, dataset.metadata.size);
  const most = 2 * fileBytes + 1e6;
  if (!(size <= most)) {
    throw damaged(name, 'a dataset would take more memory than any weight file does', {
      expected: `at most ${most} bytes`,
      received: `${size} bytes`,
    });
  }
  const { value } = dataset;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  const one = new DataView(new ArrayBuffer(8)); // a scalar comes as a number
  const { type, size: bytes } = dataset.metadata;
  if (type === 1 && bytes === 4) one.setFloat32(0, Number(value), true);
  else if (type === 1) one.setFloat64(0, Number(value), true);
  else one.setBigInt64(0, BigInt(value as number | bigint), true);
  return new Uint8Array(one.buffer, 0, bytes);
}

function textOf(file: InstanceType<H5wasm['File']>, attribute: string): string | undefined {
  if (!Object.hasOwn(file.attrs, attribute)) return undefined;
  const value = file.attrs[attribute]!.value;
  return typeof value === 'string' ? value : undefined;
}
