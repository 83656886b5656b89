import type { Metadata, Sharp } from 'sharp';
import { ImageDecodeError, ImageTooLargeError } from './errors.ts';
import { loadSharp } from './node.ts';
import { readBytes, readHead } from './read-bytes.ts';
import type { RgbImage } from './sample.ts';

/** How image files are read. */
export interface ImageOptions {
  /** Largest number of pixels that is decoded. Default: 100 million. */
  maxPixels?: number;
  /** Whether to turn the image upright by its EXIF orientation. Default: true. */
  autoOrient?: boolean;
}

/** Default of {@link ImageOptions.maxPixels}. */
const defaultMaxPixels = 100_000_000;

/** Formats that are read; the content of the file decides, not its extension. */
const formats = ['jpeg', 'png', 'webp', 'gif', 'tiff', 'heif'];

/**
 * Reads an image file as 8-bit RGB, by sharp (Node only).
 *
 * JPEG, PNG, WebP, GIF, TIFF and AVIF are read, whatever the extension says. The image is turned upright by its EXIF
 * orientation. Grey, CMYK, 16-bit and profiled images become 8-bit sRGB. Of an animation the first frame is taken.
 * Transparency is dropped, not blended: a pixel keeps its stored colour, as with Pillow's `convert('RGB')` and OpenCV.
 *
 * @throws ImageTooLargeError if the header names more pixels than `maxPixels`; nothing was decoded then.
 * @throws ImageDecodeError if the file cannot be read, is no image, is damaged or cut short.
 *
 * @example
 * ```ts
 * import { readImage, writePng } from '@e3va/datasets';
 *
 * await writePng('red.png', { width: 1, height: 1, data: Uint8Array.of(255, 0, 0) });
 * const { width, height, data } = await readImage('red.png');
 * console.log(width, height, data); // 1 1 Uint8Array [255, 0, 0]
 * ```
 */
export async function readImage(file: string, options: ImageOptions = {}): Promise<RgbImage> {
  return decodeImage(await readBytes(file), file, options);
}

/**
 * Decodes the bytes of an image file as {@link readImage} does.
 *
 * @param name Name for error messages.
 */
export async function decodeImage(
  bytes: Uint8Array,
  name: string,
  options: ImageOptions = {},
): Promise<RgbImage> {
  const { image } = await openImage(bytes, name, options);
  try {
    const upright = (options.autoOrient ?? true) ? image.autoOrient() : image;
    const { data, info } = await upright
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    };
  } catch (cause) {
    throw undecodable(name, cause);
  }
}

/** Width and height that {@link readImage} would return, from the header alone. Errors as there. */
export async function readImageSize(
  file: string,
  options: ImageOptions = {},
): Promise<{ width: number; height: number }> {
  const header = await readHeader(file, options);
  const turned = (options.autoOrient ?? true) && (header.orientation ?? 1) >= 5;
  const { width, height } = header;
  return turned ? { width: height, height: width } : { width, height };
}

/** The header of an image file. That of a JPEG nearly always fits into its first bytes, its orientation before its size. */
async function readHeader(file: string, options: ImageOptions): Promise<Metadata> {
  const head = await readHead(file, 65536);
  if (head[0] === 0xff && head[1] === 0xd8) {
    try {
      return (await openImage(head, file, options)).header;
    } catch (error) {
      if (error instanceof ImageTooLargeError) throw error;
    }
  }
  return (await openImage(await readBytes(file), file, options)).header;
}

async function openImage(
  bytes: Uint8Array,
  name: string,
  { maxPixels = defaultMaxPixels }: ImageOptions,
): Promise<{ image: Sharp; header: Metadata }> {
  const sharp = await loadSharp();
  // Damage that only warrants a warning (junk before a marker) is accepted, as other readers do; missing pixels are not.
  const image = sharp(bytes, { failOn: 'error', limitInputPixels: false });
  let header: Metadata;
  try {
    header = await image.metadata();
  } catch (cause) {
    throw undecodable(name, cause);
  }
  if (!formats.includes(header.format)) {
    throw new ImageDecodeError({
      what: `${name} has the format ${header.format}, which is not read`,
      expected: 'JPEG, PNG, WebP, GIF, TIFF or AVIF',
      fix: 'convert it to one of these',
    });
  }
  refuseLarge(name, header.width, header.height, maxPixels);
  return { image, header };
}

/** @throws ImageTooLargeError if the size has more than `maxPixels` pixels. */
export function refuseLarge(name: string, width: number, height: number, maxPixels = defaultMaxPixels): void {
  if (width * height <= maxPixels) return;
  throw new ImageTooLargeError({
    what: `${name} is too large to be decoded`,
    expected: `at most ${maxPixels} pixels`,
    received: `${width}x${height} = ${width * height} pixels, by its header`,
    fix: 'cut or shrink the image, or raise maxPixels if the memory suffices',
  });
}

function undecodable(name: string, cause: unknown): ImageDecodeError {
  const reason = [...new Set((cause as Error).message.split('\n'))].join('; ');
  return new ImageDecodeError(
    {
      what: `${name} cannot be decoded`,
      expected: 'a whole JPEG, PNG, WebP, GIF, TIFF or AVIF file',
      received: reason,
      fix: 'open it in a viewer; export or download it again, or remove it together with its mask',
    },
    { cause },
  );
}
