import { parseSafetensorsHeader, safetensorsHeaderLength, widenTensor } from '@e3va/adapter-core';
import type { ByteSource } from '../byte-source.ts';
import { asWeightFileError } from '../damaged.ts';
import { missing, type WeightFile } from '../weight-file.ts';

/** A safetensors file: the header is read and checked at once, each tensor by its position. */
export async function openSafetensors(bytes: ByteSource): Promise<WeightFile> {
  const { name, size } = bytes;
  const start = await bytes.read(0, Math.min(8, size));
  const length = asWeightFileError(() => safetensorsHeaderLength(start, size, name));
  const json = await bytes.read(8, length);
  const { entries, metadata } = asWeightFileError(() =>
    parseSafetensorsHeader(json, size - 8 - length, name),
  );
  return {
    name,
    entries,
    metadata,
    async read(tensor, scratch) {
      const entry = entries.get(tensor) ?? missing(name, tensor);
      const size = entry.end - entry.begin;
      const raw = await bytes.read(8 + length + entry.begin, size, scratch?.atLeast(size));
      const data = asWeightFileError(() => widenTensor(raw, entry.dtype, `${name}: tensor '${tensor}'`));
      return { shape: [...entry.shape], data };
    },
    close: () => bytes.close(),
  };
}
