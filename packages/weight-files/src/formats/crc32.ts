import { nodeModule } from '@e3va/highway-grad';

let tables: Uint32Array[] | undefined;

/**
 * The checksum of zip files, CRC-32 with the polynomial 0xedb88320. Node's own where it has one.
 *
 * @param bytes What is added.
 * @param before The checksum of the bytes before them.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  const zlib = nodeModule('node:zlib') as
    | { crc32?: (bytes: Uint8Array, before: number) => number }
    | undefined;
  return zlib?.crc32 ? zlib.crc32(bytes, before) : portableCrc32(bytes, before);
}

/** {@link crc32} without Node: four bytes at a time by four tables. */
export function portableCrc32(bytes: Uint8Array, before = 0): number {
  tables ??= makeTables();
  const [t0, t1, t2, t3] = tables as [Uint32Array, Uint32Array, Uint32Array, Uint32Array];
  let crc = ~before;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!;
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[at]!) & 255]!;
  return ~crc >>> 0;
}

/** The first table is that of one byte, each further one that of a byte and one zero byte more behind it. */
function makeTables(): Uint32Array[] {
  const first = Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
  const all = [first];
  for (let n = 1; n < 4; n++) all.push(all[n - 1]!.map((crc) => (crc >>> 8) ^ first[crc & 255]!));
  return all;
}
