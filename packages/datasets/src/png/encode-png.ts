import { nodeModule } from '../node.ts';
import { channelsOf, type PngColorType } from './chunks.ts';

/** What {@link encodePng} writes: samples as they shall be stored. */
export interface PngSource {
  width: number;
  height: number;
  /** 8 or 16. */
  bitDepth: 8 | 16;
  colorType: PngColorType;
  /** The samples, row by row. */
  data: ArrayLike<number>;
  /** R, G, B of each entry, for colour type 3. */
  palette?: Uint8Array;
}

/** A PNG of the given samples: no interlacing, rows unfiltered (best for label maps). */
export function encodePng({ width, height, bitDepth, colorType, data, palette }: PngSource): Uint8Array {
  const { deflateSync } = nodeModule('node:zlib');
  const perRow = width * channelsOf[colorType];
  const sampleBytes = bitDepth / 8;
  const raw = new Uint8Array(height * (perRow * sampleBytes + 1));
  let at = 0;
  for (let row = 0; row < height; row++) {
    at++; // filter 0
    for (let i = 0; i < perRow; i++) {
      const value = data[row * perRow + i]!;
      if (bitDepth === 16) raw[at++] = value >> 8;
      raw[at++] = value & 255;
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([bitDepth, colorType, 0, 0, 0], 8);
  return Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', palette)] : []),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(name: string, body: Uint8Array): Uint8Array {
  const { crc32 } = nodeModule('node:zlib');
  const bytes = new Uint8Array(body.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = name.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(body.length + 8, crc32(bytes.subarray(4, body.length + 8)));
  return bytes;
}
