import { nodeModule } from '../node.ts';
import { channelsOf, damaged, type PngHeader, readPngChunks } from './chunks.ts';
import { unfilter } from './unfilter.ts';

/** A decoded PNG whose samples are as stored: palette indices stay indices, 1 to 16 bits stay unscaled. */
export interface PngImage extends PngHeader {
  /** Samples of one pixel: 1, 2, 3 or 4. */
  channels: number;
  /** The samples, row by row, `channels` for each pixel. */
  data: Uint8Array | Uint16Array;
  /** R, G, B of each palette entry; empty if there is no palette. */
  palette: Uint8Array;
}

/** First row, first column, row step and column step of each Adam7 pass; the last line is the image in one pass. */
const passes = [
  [0, 0, 8, 8],
  [0, 4, 8, 8],
  [4, 0, 8, 4],
  [0, 2, 4, 4],
  [2, 0, 4, 2],
  [0, 1, 2, 2],
  [1, 0, 2, 1],
] as const;
const onePass = [[0, 0, 1, 1]] as const;

/**
 * Decodes a PNG of any colour type, bit depth and interlacing without touching its sample values.
 *
 * sharp and browsers turn palettes into colours and scale small depths up, after which the class index is gone; a mask
 * needs the stored numbers. Memory is bounded by the header: no more is inflated than the declared size takes.
 *
 * @param bytes The whole file.
 * @param file Name for error messages.
 * @throws ImageDecodeError if the file is damaged or cut short.
 */
export async function decodePng(bytes: Uint8Array, file: string): Promise<PngImage> {
  const { header, palette, compressed } = readPngChunks(bytes, file);
  const channels = channelsOf[header.colorType];
  const size = header.width * header.height * channels;
  const data = header.bitDepth === 16 ? new Uint16Array(size) : new Uint8Array(size);
  const raw = await inflate(compressed, rawLength(header, channels), file);
  let at = 0;
  for (const pass of header.interlaced ? passes : onePass) {
    const [rows, columns] = passSize(header, pass);
    if (rows === 0 || columns === 0) continue;
    const rowBytes = Math.ceil((columns * channels * header.bitDepth) / 8);
    const pixelBytes = Math.max(1, (channels * header.bitDepth) >> 3);
    if (!unfilter(raw, at, rows, rowBytes, pixelBytes)) throw damaged(file, 'a row has an unknown filter');
    scatter(raw, at, rowBytes, rows, columns, { ...header, channels, data, palette }, pass);
    at += rows * (rowBytes + 1);
  }
  return { ...header, channels, data, palette };
}

type Pass = readonly [number, number, number, number];

const passSize = ({ width, height }: PngHeader, [row, column, rowStep, columnStep]: Pass) =>
  [Math.ceil((height - row) / rowStep), Math.ceil((width - column) / columnStep)] as const;

/** Bytes of all rows, filter bytes included. */
function rawLength(header: PngHeader, channels: number): number {
  let length = 0;
  for (const pass of header.interlaced ? passes : onePass) {
    const [rows, columns] = passSize(header, pass);
    if (columns > 0)
      length += Math.max(0, rows) * (1 + Math.ceil((columns * channels * header.bitDepth) / 8));
  }
  return length;
}

function inflate(compressed: Uint8Array, length: number, file: string): Promise<Uint8Array> {
  const zlib = nodeModule('node:zlib');
  // Z_SYNC_FLUSH hands out what there is of a cut stream: the length then tells what is wrong.
  const options = { maxOutputLength: length + 1024, finishFlush: zlib.constants.Z_SYNC_FLUSH };
  return new Promise((resolve, reject) => {
    zlib.inflate(compressed, options, (error, raw) => {
      if (error) {
        const bomb = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
        const reason = bomb
          ? 'it unpacks to more pixels than its size has'
          : 'its compressed pixels are damaged';
        reject(damaged(file, reason, error));
      } else if (raw.length < length) {
        reject(damaged(file, `it is cut short: ${raw.length} of ${length} bytes of pixels`));
      } else {
        resolve(raw);
      }
    });
  });
}

/** Writes the samples of one pass to their places in the image. */
function scatter(
  raw: Uint8Array,
  start: number,
  rowBytes: number,
  rows: number,
  columns: number,
  { width, channels, bitDepth, data }: PngImage,
  [firstRow, firstColumn, rowStep, columnStep]: Pass,
): void {
  const perRow = columns * channels;
  for (let r = 0; r < rows; r++) {
    const from = start + r * (rowBytes + 1) + 1;
    const to = ((firstRow + r * rowStep) * width + firstColumn) * channels;
    if (bitDepth === 8 && columnStep === 1) {
      data.set(raw.subarray(from, from + perRow), to);
      continue;
    }
    for (let i = 0; i < perRow; i++) {
      const target = to + Math.floor(i / channels) * columnStep * channels + (i % channels);
      data[target] = sampleAt(raw, from, i, bitDepth);
    }
  }
}

/** Sample `i` of a row that starts at `from`. */
function sampleAt(raw: Uint8Array, from: number, i: number, bitDepth: number): number {
  if (bitDepth === 8) return raw[from + i]!;
  if (bitDepth === 16) return (raw[from + 2 * i]! << 8) | raw[from + 2 * i + 1]!;
  const bit = i * bitDepth;
  return (raw[from + (bit >> 3)]! >> (8 - bitDepth - (bit & 7))) & ((1 << bitDepth) - 1);
}
