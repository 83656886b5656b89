import type { WeightFile } from '@e3va/weight-files';

/** What mmdetection writes beside the weights: an object, if there is one. */
export function metaOf(file: WeightFile): unknown {
  return parsed(file.metadata.meta);
}

/** A field of an object; nothing of anything else. */
export function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

/** What a string of JSON holds; nothing if it is none. */
export function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
