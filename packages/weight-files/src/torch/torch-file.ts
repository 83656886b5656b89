import { type SafetensorsType, widenTensor } from '@e3va/adapter-core';
import { asWeightFileError, damaged, shown } from '../damaged.ts';
import { missing, type WeightEntry, type WeightFile } from '../weight-file.ts';
import { latin1Bytes } from './numpy.ts';
import { OutOfBytes, PickleError } from './pickle-input.ts';
import { metadataOf } from './pickle-metadata.ts';
import { findStateDict } from './state-dict.ts';
import { gather, itemBytes, type TorchStorage, type TorchTensor } from './torch-tensor.ts';

/** Reads bytes of a storage. */
export type ReadStorage = (storage: TorchStorage, offset: number, length: number) => Promise<Uint8Array>;

/**
 * The weights of a checkpoint whose pickle was read.
 *
 * @param name What the file is called in messages.
 * @param top What the pickle holds.
 * @param bytesOfStorage Bytes of each storage by its key.
 */
export function torchFile(
  name: string,
  top: unknown,
  bytesOfStorage: ReadonlyMap<string, number>,
  readStorage: ReadStorage,
  close: () => Promise<void>,
): WeightFile {
  const { tensors, key } = asPickleError(name, () => findStateDict(top));
  const entries = new Map<string, WeightEntry>();
  for (const [tensor, { shape, dtype, storage }] of tensors) {
    checkStorage(name, tensor, storage, bytesOfStorage);
    entries.set(tensor, { shape, dtype });
  }
  return {
    name,
    entries,
    metadata: metadataOf(top, key),
    async read(tensor) {
      const view = tensors.get(tensor) ?? missing(name, tensor);
      const { shape, dtype } = view;
      if (dtype === 'C64' || dtype === 'C128') {
        throw damaged(name, `tensor '${shown(tensor)}' holds complex numbers, which are not read`, {
          fix: 'leave it out of what is loaded',
        });
      }
      const raw = gather(view, await readView(view, readStorage));
      const data = asWeightFileError(() =>
        widenTensor(raw, dtype as SafetensorsType, `${name}: tensor '${tensor}'`),
      );
      return { shape: [...shape], data };
    },
    close,
  };
}

/** The storage must be there, and be as large as the pickle says. */
function checkStorage(
  name: string,
  tensor: string,
  storage: TorchStorage,
  sizes: ReadonlyMap<string, number>,
): void {
  if (storage.inside !== undefined) return;
  const size = sizes.get(storage.key);
  if (size === storage.bytes) return;
  throw damaged(name, `the storage of tensor '${shown(tensor)}' is missing or has another size`, {
    expected: `${storage.bytes} bytes`,
    received: size === undefined ? 'none' : `${size} bytes`,
  });
}

async function readView(view: TorchTensor, readStorage: ReadStorage): Promise<Uint8Array> {
  const { storage, offset, span } = view;
  const size = itemBytes[view.dtype]!;
  if (span === 0) return new Uint8Array(0);
  if (storage.inside === undefined) return readStorage(storage, offset * size, span * size);
  const part = storage.inside.slice(offset * size, (offset + span) * size);
  return typeof part === 'string' ? latin1Bytes(part) : new Uint8Array(part);
}

/** Runs what reads a pickle; its errors become those of weight files. */
export function asPickleError<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof OutOfBytes) throw damaged(name, 'the pickle is cut short', {}, cause);
    if (!(cause instanceof PickleError)) throw cause;
    throw damaged(
      name,
      'the pickle cannot be read',
      {
        received: shown(cause.message),
        fix: 'take the file from a source that is trusted, or save it again',
      },
      cause,
    );
  }
}
