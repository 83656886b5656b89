import type { ByteSource } from '../byte-source.ts';
import { damaged, shown } from '../damaged.ts';
import type { WeightFile } from '../weight-file.ts';
import { OutOfBytes } from './pickle-input.ts';
import { PyDict } from './python-values.ts';
import { readPickle } from './read-pickle.ts';
import { asPickleError, torchFile } from './torch-file.ts';
import { TorchStorage } from './torch-tensor.ts';
import { torchWorld } from './torch-world.ts';

/** The number that the older files of PyTorch begin with, as a pickle of its own. */
const magic = 0x1950a86a20f9469cfc6cn;

/** Bytes of a file that are read at first to find the end of its pickles. */
const firstPiece = 1 << 18;

/**
 * A pickle: a checkpoint of PyTorch before 1.6 (a magic number, a version, the machine, the checkpoint, the keys of the storages, then
 * the storages one behind the other), or one with arrays of NumPy alone.
 */
export async function openPickle(bytes: ByteSource): Promise<WeightFile> {
  const pickles = new PickleRun(bytes);
  const first = await pickles.next();
  if (first !== magic) {
    if (pickles.at !== bytes.size) throw damaged(bytes.name, 'there are bytes behind the end of the pickle');
    return torchFile(bytes.name, first, new Map(), noStorage, () => bytes.close());
  }
  const version = await pickles.next();
  if (version !== 1001) throw damaged(bytes.name, `version ${shown(version)} of PyTorch's files is unknown`);
  const machine = await pickles.next();
  if (machine instanceof PyDict && machine.get('little_endian') === false) {
    throw damaged(bytes.name, 'its numbers have their most significant byte first');
  }
  const top = await pickles.next();
  const places = await findStorages(bytes, await pickles.next(), pickles.at, pickles.storages);
  const sizes = new Map([...places].map(([key, { size }]) => [key, size]));
  return torchFile(
    bytes.name,
    top,
    sizes,
    (storage, offset, length) => bytes.read(places.get(storage.key)!.start + offset, length),
    () => bytes.close(),
  );
}

function noStorage(): never {
  throw new Error('a pickle without storages has no storage to read');
}

/** Pickles that stand one behind the other at the start of a file of which as little as possible is read. */
class PickleRun {
  readonly #file: ByteSource;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Behind the last pickle. */
  at = 0;
  /** The storages that were named so far. */
  readonly storages = new Map<string, TorchStorage>();

  constructor(file: ByteSource) {
    this.#file = file;
  }

  async next(): Promise<unknown> {
    const { name, size } = this.#file;
    for (;;) {
      try {
        const { value, end } = asPickleError(name, () => this.#read());
        this.at = end;
        return value;
      } catch (error) {
        const short = (error as Error).cause instanceof OutOfBytes;
        if (!short || this.#bytes.length >= size) throw error;
      }
      // twice as much each time: all the reading together is less than twice the last
      const wanted = Math.min(size, Math.max(firstPiece, 2 * this.#bytes.length));
      this.#bytes = await this.#file.read(0, wanted);
    }
  }

  #read(): { value: unknown; end: number } {
    return readPickle(this.#bytes, this.at, {
      ...torchWorld,
      persistent: (id) => {
        const storage = torchWorld.persistent(id);
        if (storage instanceof TorchStorage) this.storages.set(storage.key, storage);
        return storage;
      },
    });
  }
}

interface Place {
  start: number;
  size: number;
}

/** Each storage is its number of numbers, in eight bytes, and the numbers; the last ends with the file. */
async function findStorages(
  file: ByteSource,
  keys: unknown,
  start: number,
  storages: ReadonlyMap<string, TorchStorage>,
): Promise<Map<string, Place>> {
  if (!Array.isArray(keys)) throw damaged(file.name, 'the keys of its storages are no list');
  const places = new Map<string, Place>();
  let at = start;
  for (const key of keys) {
    const storage = storages.get(key);
    if (!storage || places.has(key)) {
      throw damaged(file.name, 'the keys of its storages do not fit the checkpoint', {
        received: shown(key),
      });
    }
    const head = await file.read(at, 8);
    const count = Number(new DataView(head.buffer).getBigUint64(0, true));
    const size = storage.bytes;
    if (count !== storage.count || at + 8 + size > file.size) {
      throw damaged(file.name, `storage '${shown(key)}' is cut short or has another size`, {
        expected: `${storage.count} numbers`,
        received: `${count} numbers, ${file.size - at - 8} bytes to the end of the file`,
      });
    }
    places.set(key, { start: at + 8, size });
    at += 8 + size;
  }
  if (at !== file.size) throw damaged(file.name, 'there are bytes behind the last storage');
  return places;
}
