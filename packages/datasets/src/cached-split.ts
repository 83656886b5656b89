import type { LabelMap, SegmentationSample, SegmentationSplit } from './sample.ts';

/** Default of the `bytes` of {@link cachedSplit}: 512 MiB. */
export const defaultCacheBytes = 512 * 1024 * 1024;

/** A sample whose labels take one byte each where they fit. */
interface Stored {
  sample: Omit<SegmentationSample, 'mask'>;
  mask: Omit<LabelMap, 'data'> & { data: Uint8Array | Int32Array };
}

/**
 * A split that keeps decoded samples in memory up to a number of bytes, so that later epochs need not decode again.
 *
 * What came first stays; when the budget is full, further samples are decoded at every use. (Passes over the data
 * visit each sample once: throwing out the oldest would throw out exactly what comes next.) Images and masks of up to
 * 255 classes take four bytes a pixel.
 *
 * @param bytes Budget; 0 keeps nothing.
 */
export function cachedSplit(split: SegmentationSplit, bytes = defaultCacheBytes): SegmentationSplit {
  const load = cachedLoads((index) => split.load(index), bytes, { pack, unpack, bytesOf });
  return { length: split.length, names: split.names, load };
}

function pack({ mask, ...sample }: SegmentationSample): Stored {
  const narrow = mask.data.every((label) => label >= 0 && label < 256);
  return { sample, mask: { ...mask, data: narrow ? new Uint8Array(mask.data) : mask.data } };
}

function unpack({ sample, mask }: Stored): SegmentationSample {
  return { ...sample, mask: { ...mask, data: new Int32Array(mask.data) } };
}

function bytesOf({ sample, mask }: Stored): number {
  return sample.image.data.byteLength + mask.data.byteLength;
}

/** In which form {@link cachedLoads} keeps samples. */
export interface CacheForm<T, S> {
  pack(sample: T): S;
  unpack(stored: S): T;
  bytesOf(stored: S): number;
}

/** Loads by index, keeping what came first up to a number of bytes. */
export function cachedLoads<T, S>(
  load: (index: number) => Promise<T>,
  bytes: number,
  { pack, unpack, bytesOf }: CacheForm<T, S>,
): (index: number) => Promise<T> {
  const kept = new Map<number, S>();
  let left = bytes;
  return async (index) => {
    const hit = kept.get(index);
    if (hit !== undefined) return unpack(hit);
    const sample = await load(index);
    const stored = pack(sample);
    const size = bytesOf(stored);
    if (size <= left && !kept.has(index)) {
      kept.set(index, stored);
      left -= size;
    }
    return sample;
  };
}
