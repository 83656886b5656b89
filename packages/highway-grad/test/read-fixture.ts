import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface FixtureTensor {
  shape: number[];
  data: Float32Array;
}

/** The float32 tensors of a safetensors file in `fixtures/`: header length, JSON header, then the data. */
export function readFixture(name: string): Record<string, FixtureTensor> {
  const bytes = readFileSync(fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url)));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const out: Record<string, FixtureTensor> = {};
  for (const [key, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
    if (key === '__metadata__') continue;
    if (dtype !== 'F32') throw new Error(`${name}: ${key} is ${dtype}, not F32`);
    const [start, end] = offsets.map((offset) => 8 + length + offset) as [number, number];
    out[key] = {
      shape,
      data: new Float32Array(bytes.buffer.slice(bytes.byteOffset + start, bytes.byteOffset + end)),
    };
  }
  return out;
}
