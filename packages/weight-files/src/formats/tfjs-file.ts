import type { TensorData } from '@e3va/adapter-core';
import { widenTensor } from '@e3va/adapter-core';
import type { ByteSource } from '../byte-source.ts';
import { asWeightFileError, damaged, shown } from '../damaged.ts';
import { missing, type WeightEntry, type WeightFile } from '../weight-file.ts';
import { checkBeside } from './beside.ts';
import { isObject, type JsonObject } from './json-file.ts';

/** Opens the bytes of one of the files that the manifest names. */
export type OpenBytes = (file: string) => Promise<ByteSource>;

/** Number types of tfjs, in the words of the safetensors format. */
const types = { float32: 'F32', int32: 'I32', bool: 'BOOL' } as const;

const packedTypes = { uint8: 'U8', uint16: 'U16', float16: 'F16' } as const;

const itemSize = { F32: 4, I32: 4, BOOL: 1, U8: 1, U16: 2, F16: 2 } as const;

interface Place {
  shape: number[];
  /** What the numbers are. */
  dtype: 'F32' | 'I32' | 'BOOL';
  /** What the bytes are. */
  packed: keyof typeof itemSize;
  scale: number;
  min: number;
  group: Group;
  begin: number;
  end: number;
}

/** The files of a group, one behind the other. */
interface Group {
  files: ByteSource[];
  size: number;
}

/**
 * A model of tfjs: a `model.json` with a weights manifest, and its files of raw numbers; 8- and 16-bit ones are widened as `tf.io` does
 * it.
 */
export async function openTfjs(model: ByteSource, json: JsonObject, open: OpenBytes): Promise<WeightFile> {
  const { name } = model;
  await model.close();
  const manifest = json.weightsManifest;
  if (!Array.isArray(manifest)) throw damaged(name, 'its weightsManifest is no list');
  const opened: ByteSource[] = [];
  const places = new Map<string, Place>();
  const close = async () => {
    for (const file of opened) await file.close();
  };
  try {
    for (const part of manifest) {
      const { paths, weights } = isObject(part) ? part : {};
      if (!Array.isArray(paths) || !Array.isArray(weights))
        throw damaged(name, 'its weightsManifest is damaged');
      const group: Group = { files: [], size: 0 };
      for (const path of paths) {
        checkBeside(name, path);
        const file = await open(path);
        opened.push(file);
        group.files.push(file);
        group.size += file.size;
      }
      addPlaces(name, group, weights, places);
    }
  } catch (error) {
    await close();
    throw error;
  }
  const entries = new Map<string, WeightEntry>(
    [...places].map(([key, { shape, dtype }]) => [key, { shape, dtype }]),
  );
  return {
    name,
    entries,
    metadata: metadataOf(json),
    async read(tensor) {
      const place = places.get(tensor) ?? missing(name, tensor);
      return unpack(place, await readGroup(place), `${name}: tensor '${tensor}'`);
    },
    close,
  };
}

function addPlaces(name: string, group: Group, weights: unknown[], places: Map<string, Place>): void {
  let at = 0;
  for (const spec of weights) {
    const place = placeOf(name, spec, group, at);
    const key = (spec as { name: string }).name;
    if (places.has(key)) throw damaged(name, `it has the weight '${shown(key)}' twice`);
    places.set(key, place);
    at = place.end;
  }
  if (at === group.size) return;
  throw damaged(name, 'its weight files do not have the size that their weights need', {
    expected: `${at} bytes`,
    received: `${group.size} bytes`,
  });
}

function placeOf(name: string, spec: unknown, group: Group, begin: number): Place {
  const { name: key, shape, dtype, quantization } = isObject(spec) ? spec : {};
  if (typeof key !== 'string') throw damaged(name, 'a weight has no name');
  const wrong = (what: string, received: unknown) =>
    damaged(name, `weight '${shown(key)}' has ${what}`, { received: shown(received) });
  const natural = (size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0;
  if (!Array.isArray(shape) || !shape.every(natural)) throw wrong('no valid shape', shape);
  if (typeof dtype !== 'string' || !Object.hasOwn(types, dtype))
    throw wrong('a type that is not read', dtype);
  const type = types[dtype as keyof typeof types];
  const place: Place = { shape, dtype: type, packed: type, scale: 1, min: 0, group, begin, end: begin };
  if (quantization !== undefined) {
    const { dtype: packed, scale, min } = isObject(quantization) ? quantization : {};
    if (typeof packed !== 'string' || !Object.hasOwn(packedTypes, packed) || type === 'BOOL') {
      throw wrong('a quantisation that is not known', packed);
    }
    place.packed = packedTypes[packed as keyof typeof packedTypes];
    if (packed !== 'float16') {
      if (!Number.isFinite(scale) || !Number.isFinite(min)) throw wrong('no valid scale', scale);
      place.scale = scale as number;
      place.min = min as number;
    } else if (type !== 'F32') throw wrong('a quantisation that is not known', packed);
  }
  place.end = begin + shape.reduce((a: number, b: number) => a * b, itemSize[place.packed]);
  if (!(place.end <= group.size)) throw wrong('more numbers than its files', shape);
  return place;
}

/** The bytes of a weight, which may go on from one file to the next. */
async function readGroup({ group, begin, end }: Place): Promise<Uint8Array> {
  let start = 0; // of the file
  const parts: Uint8Array[] = [];
  for (const file of group.files) {
    const [from, to] = [Math.max(begin, start), Math.min(end, start + file.size)];
    if (from < to) parts.push(await file.read(from - start, to - from));
    start += file.size;
  }
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(end - begin);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function unpack({ shape, dtype, packed, scale, min }: Place, raw: Uint8Array, tensor: string): TensorData {
  const numbers = asWeightFileError(() => widenTensor(raw, packed, tensor));
  if (packed === dtype || packed === 'F16') return { shape: [...shape], data: numbers };
  const data = dtype === 'F32' ? new Float32Array(numbers.length) : new Int32Array(numbers.length);
  for (let i = 0; i < data.length; i++) {
    const value = numbers[i]! * scale + min;
    data[i] = dtype === 'F32' ? value : Math.round(value);
  }
  return { shape: [...shape], data };
}

function metadataOf(json: JsonObject): Record<string, string> {
  const kept = ['format', 'generatedBy', 'convertedBy'].filter((key) => typeof json[key] === 'string');
  const texts = kept.map((key) => [key, json[key] as string]);
  try {
    const text = JSON.stringify(json.userDefinedMetadata);
    if (text !== undefined) texts.push(['userDefinedMetadata', text]);
  } catch {
    // nested too deep to be written again: nothing that anyone meant
  }
  return Object.fromEntries(texts);
}
