import { readFileSync } from 'node:fs';
import { encodeSafetensors } from '@e3va/adapter-core';
import type { openWeights } from '../../src/index.ts';
import { watchAllocations } from './allocations.ts';
import { bytesOf, le } from './bytes.ts';
import { mutated, randomFrom } from './mutations.ts';
import { checkpoint, dict, int, legacyCheckpoint, list, pickle, tensor, text } from './pickle-writer.ts';
import { zip } from './zip-writer.ts';

type Random = (below: number) => number;

/** What is tried: a valid file, and how a damaged one is made of it. */
interface Subject {
  name: string;
  /** A valid file, or the part of one that is damaged. */
  seed: Uint8Array;
  /** Puts the damaged part into a file whose other parts fit it. */
  wrap?: (part: Uint8Array) => Uint8Array;
  /** Files that this one names. */
  beside?: Uint8Array;
  /** Whether its memory is that of HDF5's library. */
  foreignMemory?: boolean;
}

const folder = new URL('../fixtures/', import.meta.url);
const fixture = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const textBytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function subjects(): Subject[] {
  const safetensors = encodeSafetensors(
    {
      a: { shape: [2, 3], data: new Float32Array(6) },
      b: { shape: [], data: new Int32Array(1) },
      c: { shape: [3], data: new Uint8Array(3) },
    },
    { note: 'x' },
  );
  const header = Number(new DataView(safetensors.buffer).getBigUint64(0, true));
  const value = dict({
    meta: dict({ CLASSES: list(text('a'), text('b')), n: int(2 ** 40) }),
    model: dict({
      a: tensor(),
      b: tensor({ shape: [2, 2], strides: [1, 2] }),
      c: tensor({ key: '1', count: 2, type: 'HalfStorage' }),
    }),
  });
  const storages = { 0: new Float32Array(4), 1: new Float32Array(1) };
  const inZip = (data: Uint8Array, deflated: boolean) =>
    zip([
      { name: 'archive/data.pkl', data, deflated },
      ...Object.entries(storages).map(([key, array]) => ({
        name: `archive/data/${key}`,
        data: bytesOf(array),
      })),
    ]);
  const tfjs = [
    { name: 'a', shape: [2], dtype: 'float32' },
    { name: 'b', shape: [4], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
  ];
  return [
    { name: 'safetensors', seed: safetensors },
    {
      name: 'a safetensors header',
      seed: safetensors.slice(8, 8 + header),
      wrap: (json) => bytesOf(le(json.length, 8), json, safetensors.subarray(8 + header)),
    },
    { name: 'a zip of PyTorch', seed: checkpoint(value, storages) },
    { name: 'a deflated zip of PyTorch', seed: checkpoint(value, storages, { deflated: true }) },
    { name: 'a pickle in a zip', seed: pickle(value), wrap: (data) => inZip(data, false) },
    { name: 'views in a zip', seed: fixture('torch/views.pth') },
    { name: 'a legacy file', seed: legacyCheckpoint(value, { 0: new Float32Array(4) }) },
    { name: 'views in a legacy file', seed: fixture('torch/views_legacy.pth') },
    { name: 'a pickle of NumPy', seed: fixture('torch/numpy.pkl') },
    { name: 'the pickle of a training program', seed: fixture('torch/mmengine.pth') },
    {
      name: 'an index',
      seed: textBytes({ metadata: { n: 1 }, weight_map: { a: 's.safetensors', b: 's.safetensors' } }),
      beside: safetensors,
    },
    {
      name: 'a model of tfjs',
      seed: textBytes({ weightsManifest: [{ paths: ['w'], weights: tfjs }] }),
      beside: new Uint8Array(12),
    },
    { name: 'a .keras file', seed: fixture('keras/model.keras'), foreignMemory: true },
    { name: 'an .h5 file', seed: fixture('keras/weights.h5'), foreignMemory: true },
  ];
}

/** What came out. */
export interface FuzzResult {
  inputs: number;
  opened: number;
  refused: number;
  /** The largest allocation of all, beyond what is allowed; negative if none was. */
  excess: number;
  /** Milliseconds of the slowest input. */
  slowest: number;
  /** Errors of a wrong kind, with the inputs to make them again. */
  wrong: string[];
}

/**
 * Opens damaged files and reads all that can be read of them.
 *
 * @param count How many.
 * @param seed Of the random numbers.
 */
export async function fuzz(count: number, seed: number): Promise<FuzzResult> {
  const watch = watchAllocations();
  try {
    // loaded only now, so that what it loads names the watched classes
    const library = await import('../../src/index.ts');
    const all = subjects();
    const result: FuzzResult = { inputs: 0, opened: 0, refused: 0, excess: -Infinity, slowest: 0, wrong: [] };
    for (let i = 0; i < count; i++) {
      const subject = all[i % all.length]!;
      const random = randomFrom(seed + i);
      const other = all[random(all.length)]!.seed;
      const part = mutated(subject.seed, other, random);
      const bytes = subject.wrap?.(part) ?? part;
      const beside =
        subject.beside && random(4) === 0 ? mutated(subject.beside, other, random) : subject.beside;
      watch.restart();
      const start = performance.now();
      const error = await tryFile(library.openWeights, bytes, beside, random);
      result.slowest = Math.max(result.slowest, performance.now() - start);
      const allowed = 2 * Math.max(bytes.length, beside?.length ?? 0) + 2 ** 20;
      if (!subject.foreignMemory) result.excess = Math.max(result.excess, watch.largest() - allowed);
      result.inputs++;
      if (error === undefined) result.opened++;
      else if (error instanceof library.WeightFileError) result.refused++;
      else result.wrong.push(`${subject.name}, seed ${seed + i}: ${(error as Error).stack ?? error}`);
    }
    return result;
  } finally {
    watch.stop();
  }
}

async function tryFile(
  open: typeof openWeights,
  bytes: Uint8Array,
  beside: Uint8Array | undefined,
  random: Random,
): Promise<unknown> {
  try {
    const file = await open(bytes, beside ? { beside: () => beside } : {});
    try {
      const names = [...file.entries.keys()];
      // all of most, one of those with many
      for (const name of names.length > 30 ? [names[random(names.length)]!] : names) await file.read(name);
    } finally {
      await file.close();
    }
    return undefined;
  } catch (error) {
    return error;
  }
}
