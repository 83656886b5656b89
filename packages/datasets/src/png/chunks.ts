import { ImageDecodeError } from '../errors.ts';
import { nodeModule } from '../node.ts';

/** What the header of a PNG says. */
export interface PngHeader {
  width: number;
  height: number;
  /** Bits of one sample: 1, 2, 4, 8 or 16. */
  bitDepth: number;
  colorType: PngColorType;
  /** Whether the rows are stored in Adam7's seven passes. */
  interlaced: boolean;
}

/** 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha. */
export type PngColorType = 0 | 2 | 3 | 4 | 6;

/** Samples of one pixel by colour type. */
export const channelsOf: Record<PngColorType, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

const allowedDepths: Record<PngColorType, number[]> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Whether the bytes start as a PNG does. */
export const isPng = (bytes: Uint8Array) => signature.every((b, i) => bytes[i] === b);

/** Bytes that {@link readPngHeader} needs. */
export const pngHeaderLength = 33;

/**
 * Reads the header of a PNG from its first 33 bytes.
 *
 * @param file Name for error messages.
 * @throws ImageDecodeError if they are no header of a PNG.
 */
export function readPngHeader(bytes: Uint8Array, file: string): PngHeader {
  if (!isPng(bytes)) throw damaged(file, 'it does not start as a PNG does');
  if (bytes.length < pngHeaderLength) throw damaged(file, 'it is cut short within its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(8) !== 13 || chunkName(bytes, 12) !== 'IHDR')
    throw damaged(file, 'its header is missing');
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  if (width === 0 || height === 0) throw damaged(file, `its size is ${width}x${height}`);
  const [bitDepth, colorType, compression, filter, interlace] = bytes.subarray(24, 29);
  const depths = allowedDepths[colorType as PngColorType];
  if (!depths?.includes(bitDepth!)) {
    throw damaged(file, `colour type ${colorType} with ${bitDepth} bits does not exist`);
  }
  if (compression !== 0 || filter !== 0 || interlace! > 1) {
    throw damaged(file, `it names an unknown method (${compression}, ${filter}, ${interlace})`);
  }
  return {
    width,
    height,
    bitDepth: bitDepth!,
    colorType: colorType as PngColorType,
    interlaced: interlace === 1,
  };
}

/** The chunks of a PNG that pixels are made of. */
export interface PngChunks {
  header: PngHeader;
  /** R, G, B of each palette entry; empty if there is no palette. */
  palette: Uint8Array;
  /** The compressed pixels, all IDAT chunks joined. */
  compressed: Uint8Array;
}

/**
 * Splits a PNG into its header, palette and compressed pixels. Other chunks are skipped unread.
 *
 * @throws ImageDecodeError if a chunk runs past the end of the file or its checksum is wrong.
 */
export function readPngChunks(bytes: Uint8Array, file: string): PngChunks {
  const header = readPngHeader(bytes, file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { crc32 } = nodeModule('node:zlib');
  const data: Uint8Array[] = [];
  let palette: Uint8Array = new Uint8Array(0);
  // A missing IEND is no reason to refuse: whether all pixels are there shows when they are inflated.
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = chunkName(bytes, at + 4);
    if (name === 'IEND') break;
    const end = at + 12 + length;
    if (end > bytes.length) throw damaged(file, `it is cut short within its ${printable(name)} chunk`);
    const body = bytes.subarray(at + 8, end - 4);
    if (name === 'PLTE' || name === 'IDAT' || name === 'IHDR') {
      if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
        throw damaged(file, `the checksum of its ${name} chunk is wrong`);
      }
      if (name === 'PLTE') palette = body;
      if (name === 'IDAT') data.push(body);
    }
    at = end;
  }
  if (data.length === 0) throw damaged(file, 'it holds no pixels');
  if (header.colorType === 3 && (palette.length === 0 || palette.length % 3 !== 0 || palette.length > 768)) {
    throw damaged(file, 'its palette is missing or damaged');
  }
  return { header, palette, compressed: data.length === 1 ? data[0]! : join(data) };
}

/** The error of a PNG that cannot be read. */
export const damaged = (file: string, reason: string, cause?: unknown) =>
  new ImageDecodeError(
    { what: `${file} cannot be read as PNG: ${reason}`, fix: 'export or download the file again' },
    { cause },
  );

const chunkName = (bytes: Uint8Array, at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));

const printable = (name: string) => (/^[A-Za-z]{4}$/.test(name) ? name : 'unnamed');

function join(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
