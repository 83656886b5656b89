import { parseStrictJson } from '@e3va/adapter-core';
import type { ByteSource } from '../byte-source.ts';
import { damaged, shown } from '../damaged.ts';

/** Largest JSON file that is read: an index of 100,000 tensors has a tenth of it. */
const maxJson = 100_000_000;

/** A JSON object of a file. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Reads a whole file as a JSON object; keys that stand twice are an error. */
export async function readJson(file: ByteSource): Promise<JsonObject> {
  if (file.size > maxJson) {
    throw damaged(file.name, 'it is too long for a JSON file', {
      expected: `at most ${maxJson} bytes`,
      received: `${file.size} bytes`,
    });
  }
  const bytes = await file.read(0, file.size);
  let value: unknown;
  try {
    value = parseStrictJson(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged(file.name, 'it is not JSON', { received: shown((cause as Error).message) }, cause);
  }
  if (!isObject(value)) throw damaged(file.name, 'it is no JSON object');
  return value;
}

/** Whether a value is an object and no list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
