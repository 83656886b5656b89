import type { ByteSource } from '../byte-source.ts';
import { damaged, shown } from '../damaged.ts';
import { missing, type WeightEntry, type WeightFile } from '../weight-file.ts';
import { checkBeside } from './beside.ts';
import { isObject, type JsonObject } from './json-file.ts';

/** Opens one of the files that an index names. */
export type OpenShard = (file: string) => Promise<WeightFile>;

/** Most files of one model; the largest published ones have fewer than 300. */
const maxShards = 2000;

/**
 * Weights in several files with an index (`model.safetensors.index.json`, `pytorch_model.bin.index.json`): every file is opened and its
 * names are compared with those of the index before anything is read.
 */
export async function openIndex(index: ByteSource, json: JsonObject, open: OpenShard): Promise<WeightFile> {
  const { name } = index;
  await index.close();
  const map = json.weight_map;
  if (!isObject(map)) throw damaged(name, 'its weight_map is no object');
  const places = Object.entries(map);
  const files = [...new Set(places.map(([, file]) => file))];
  for (const file of files) checkBeside(name, file);
  if (files.length > maxShards) throw damaged(name, `it names ${files.length} files`);
  const shards = new Map<string, WeightFile>();
  const close = async () => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of files as string[]) shards.set(file, await open(file));
    const entries = new Map<string, WeightEntry>();
    for (const [tensor, file] of places as [string, string][]) {
      const entry = shards.get(file)!.entries.get(tensor);
      if (!entry) {
        throw damaged(name, `tensor '${shown(tensor)}' is not in '${shown(file)}', where it should be`, {
          fix: 'the index and its files are of different models, or one of them was not downloaded whole',
        });
      }
      entries.set(tensor, entry);
    }
    return {
      name,
      entries,
      metadata: textsOf(json.metadata),
      async read(tensor, scratch) {
        if (!entries.has(tensor)) missing(name, tensor);
        return shards.get(map[tensor] as string)!.read(tensor, scratch);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The values of a JSON object as texts: texts as they are, numbers and booleans as JSON. */
function textsOf(metadata: unknown): Record<string, string> {
  if (!isObject(metadata)) return {};
  return Object.fromEntries(
    Object.entries(metadata)
      .filter(([, value]) => typeof value !== 'object')
      .map(([key, value]) => [key, String(value)]),
  );
}
