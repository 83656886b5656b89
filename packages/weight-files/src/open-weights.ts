import { type ByteOrigin, type ByteSource, nameOf, openBytes } from './byte-source.ts';
import { damaged } from './damaged.ts';
import { WeightFileError } from './errors.ts';
import { type Beside, besideOf } from './formats/beside.ts';
import { openIndex } from './formats/index-file.ts';
import { type JsonObject, readJson } from './formats/json-file.ts';
import { openSafetensors } from './formats/safetensors-file.ts';
import { openTfjs } from './formats/tfjs-file.ts';
import { openZip } from './formats/zip.ts';
import { isKerasZip, openKerasH5, openKerasZip } from './keras/keras-file.ts';
import { openPickle } from './torch/torch-legacy.ts';
import { openTorchZip, torchRoot } from './torch/torch-zip.ts';
import type { WeightFile } from './weight-file.ts';

/** Options of {@link openWeights}. */
export interface OpenWeightsOptions {
  /** What the file is called in messages; default its path, address or name. */
  name?: string;
  /**
   * Where the files are that an index or a `model.json` names. Default: beside it; needed where that has no folder (a Blob, bytes), or
   * where the files are kept under other names. Asked only for names that stay in the folder.
   */
  beside?: Beside;
  /** Ends a download. */
  signal?: AbortSignal;
}

/**
 * Opens a weight file: names and shapes are read and checked at once, values tensor by tensor when they are asked for, so that memory holds
 * one tensor and not the file. Nothing in a file is ever executed.
 *
 * The format is told by the contents, not by the name:
 *
 * - safetensors, and an index over several files of it;
 * - checkpoints of PyTorch (`.pth`, `.pt`, `.bin`), both containers, and an index over several; pickles of NumPy arrays;
 * - a `model.json` of tfjs with its files;
 * - Keras `.h5` and `.keras`, for which the package h5wasm must be installed.
 *
 * A checkpoint's weights are looked for at its top, then under `state_dict`, `model` and the other usual keys; what else it says (`meta`,
 * `epoch`) stands in `metadata` as JSON, and the key of the weights as `e3va.state_dict`. In pickles, classes and functions are only
 * names: PyTorch's tensors are rebuilt, all else is skipped, a tensor of an unknown kind is an error, and so is any name that runs
 * programs or opens files.
 *
 * @param source A path (Node), an address, a Blob or File, or the bytes. Addresses are downloaded whole into memory.
 * @returns The open file; close it after use.
 * @throws {@link WeightFileError} if it cannot be read, is damaged, of an unknown format, or holds what is refused.
 *
 * @example
 * ```ts
 * import { encodeSafetensors } from '@e3va/adapter-core';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const bytes = encodeSafetensors({ 'fc.bias': { shape: [2], data: new Float32Array([1, 2]) } });
 * const file = await openWeights(bytes); // or a path: 'model.safetensors', 'checkpoint.pth'
 * for (const [name, { shape, dtype }] of file.entries) console.log(name, shape, dtype); // fc.bias [2] F32
 * console.log((await file.read('fc.bias')).data); // Float32Array [1, 2]
 * await file.close();
 * ```
 */
export async function openWeights(
  source: ByteOrigin,
  { name = nameOf(source), beside = besideOf(source, name), signal }: OpenWeightsOptions = {},
): Promise<WeightFile> {
  const bytes = await openBytes(source, name, signal);
  return closedOnError(bytes, async () => {
    const start = await bytes.read(0, Math.min(512, bytes.size));
    if (start[0] !== 123 || isSafetensors(start)) return openOne(bytes, start);
    const json = await readJson(bytes);
    if ('weight_map' in json) return openIndex(bytes, json, (file) => openShard(file, name, beside, signal));
    if ('weightsManifest' in json) {
      return openTfjs(bytes, json, async (file) =>
        openBytes(await beside(file), `${name} (${file})`, signal),
      );
    }
    throw unknownJson(name, json);
  });
}

/** Closes the bytes if opening what they are fails. */
async function closedOnError<T>(bytes: ByteSource, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

async function openShard(
  file: string,
  index: string,
  beside: Beside,
  signal?: AbortSignal,
): Promise<WeightFile> {
  const origin = await beside(file);
  const bytes = await openBytes(origin, `${index} (${file})`, signal);
  return closedOnError(bytes, async () => openOne(bytes, await bytes.read(0, Math.min(512, bytes.size))));
}

/** Opens a file that stands alone, by its first bytes. */
async function openOne(bytes: ByteSource, start: Uint8Array): Promise<WeightFile> {
  const { name } = bytes;
  const begins = (...codes: number[]) => codes.every((code, i) => start[i] === code);
  if (isSafetensors(start)) return openSafetensors(bytes);
  if (begins(0x50, 0x4b, 3, 4) || begins(0x50, 0x4b, 5, 6)) {
    const zip = await openZip(bytes);
    const root = torchRoot(zip);
    if (root !== undefined) return openTorchZip(bytes, zip, root);
    if (isKerasZip(zip)) return openKerasZip(bytes, zip);
    throw damaged(name, 'it is a zip file, but neither of PyTorch nor of Keras', { fix: understood });
  }
  if (begins(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)) return openKerasH5(bytes);
  if (begins(0x80) && start[1]! <= 5) return openPickle(bytes);
  if (start[8] === 0x7b) return openSafetensors(bytes);
  throw unknown(name, start, bytes.size);
}

/** Whether a file begins with a header length below 4 GB and a JSON object: its length may begin as other formats do. */
function isSafetensors(start: Uint8Array): boolean {
  return start[8] === 123 && [4, 5, 6, 7].every((at) => start[at] === 0);
}

const understood =
  'pass a safetensors file or index, a checkpoint of PyTorch, a model.json of tfjs, or an .h5 or .keras file of Keras';

function unknownJson(name: string, json: JsonObject): WeightFileError {
  const keys = Object.keys(json).slice(0, 5).join(', ');
  const config = 'model_type' in json || 'architectures' in json;
  return new WeightFileError({
    what: `${name} is a JSON file without weights`,
    expected: 'an index with a weight_map, or a model.json with a weightsManifest',
    received: keys === '' ? 'an empty object' : `an object with ${keys.slice(0, 200)}`,
    fix: config ? 'this is the configuration: the weights are in another file' : understood,
  });
}

function unknown(name: string, start: Uint8Array, size: number): WeightFileError {
  const text = new TextDecoder().decode(start);
  const fail = (received: string, fix: string) =>
    new WeightFileError({ what: `${name} is no weight file`, received, fix });
  if (size === 0) return fail('an empty file', 'download it again');
  if (text.startsWith('version https://git-lfs')) {
    return fail('a pointer of git-lfs', 'fetch the file itself: git lfs pull, or download it from the hub');
  }
  if (/^\s*<(!doctype|html|\?xml)/i.test(text)) {
    return fail(
      'a page of HTML or XML',
      'the address leads to a page about the file: use that of the file itself',
    );
  }
  const codes = [...start.subarray(0, 8)].map((code) => code.toString(16).padStart(2, '0'));
  return fail(`${size} bytes that begin with ${codes.join(' ')}`, understood);
}
