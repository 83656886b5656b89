import type { ByteSource } from '../byte-source.ts';
import { damaged } from '../damaged.ts';
import type { ZipFile } from '../formats/zip.ts';
import type { WeightFile } from '../weight-file.ts';
import { readPickle } from './read-pickle.ts';
import { asPickleError, torchFile } from './torch-file.ts';
import { torchWorld } from './torch-world.ts';

/** The folder of a zip file that PyTorch wrote; undefined if it is none. */
export function torchRoot(zip: ZipFile): string | undefined {
  const pickle = [...zip.entries.keys()].find((name) => /^[^/]*\/data\.pkl$/.test(name));
  return pickle?.slice(0, -'data.pkl'.length);
}

/**
 * A checkpoint of PyTorch 1.6 or later: a zip file with a pickle and one entry a storage. A storage's checksum is checked when the first
 * of its tensors is read.
 */
export async function openTorchZip(bytes: ByteSource, zip: ZipFile, root: string): Promise<WeightFile> {
  const { name } = bytes;
  if (zip.entries.has(`${root}constants.pkl`)) {
    throw damaged(name, 'it is a TorchScript program, not a checkpoint', {
      fix: 'save the state_dict() of the module instead',
    });
  }
  if (zip.entries.has(`${root}byteorder`)) {
    const order = new TextDecoder().decode(await zip.read(`${root}byteorder`));
    if (order !== 'little') throw damaged(name, 'its numbers have their most significant byte first');
  }
  const pickle = await zip.read(`${root}data.pkl`);
  const { value } = asPickleError(name, () => readPickle(pickle, 0, torchWorld));
  const folder = `${root}data/`;
  const sizes = new Map(
    [...zip.entries]
      .filter(([entry]) => entry.startsWith(folder))
      .map(([entry, { size }]) => [entry.slice(folder.length), size]),
  );
  return torchFile(
    name,
    value,
    sizes,
    (storage, offset, length) => zip.readPart(folder + storage.key, offset, length),
    () => bytes.close(),
  );
}
