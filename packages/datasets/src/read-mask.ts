import { MaskFormatError } from './errors.ts';
import { labelsOf, type MaskCoding } from './mask-coding.ts';
import { isPng, type PngHeader, pngHeaderLength, readPngHeader } from './png/chunks.ts';
import { decodePng, type PngImage } from './png/decode-png.ts';
import { readBytes, readHead } from './read-bytes.ts';
import { refuseLarge } from './read-image.ts';
import type { LabelMap } from './sample.ts';

/**
 * Reads a mask file and maps its values to labels.
 *
 * @throws ImageDecodeError, ImageTooLargeError, MaskFormatError, ClassRangeError
 */
export async function readMask(file: string, coding: MaskCoding, maxPixels?: number): Promise<LabelMap> {
  return labelsOf(await readMaskPng(file, maxPixels), coding, file);
}

/** Reads a mask file with its values as stored. */
export async function readMaskPng(file: string, maxPixels?: number): Promise<PngImage> {
  const bytes = await readBytes(file);
  const { width, height } = maskHeader(bytes, file);
  refuseLarge(file, width, height, maxPixels);
  return decodePng(bytes, file);
}

/** The header of a mask file, without reading its pixels. */
export async function readMaskHeader(file: string): Promise<PngHeader> {
  return maskHeader(await readHead(file, pngHeaderLength), file);
}

function maskHeader(bytes: Uint8Array, file: string): PngHeader {
  if (isPng(bytes)) return readPngHeader(bytes, file);
  const jpeg = bytes[0] === 0xff && bytes[1] === 0xd8;
  throw new MaskFormatError({
    what: jpeg
      ? `${file} is a JPEG: its compression smears class values over the borders of the classes`
      : `${file} is no PNG`,
    expected: 'a PNG whose grey level, palette index or colour is the class',
    received: jpeg ? 'JPEG content' : `a file that starts with ${hex(bytes.subarray(0, 4))}`,
    fix: jpeg
      ? 'export the mask again as PNG from where it was drawn'
      : 'convert it to PNG without changing values',
  });
}

const hex = (bytes: Uint8Array) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join(' ');
