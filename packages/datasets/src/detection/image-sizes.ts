import { mapConcurrent } from '../concurrent.ts';
import { ImageSizeError } from '../errors.ts';
import { readImage, readImageSize } from '../read-image.ts';
import type { DraftImage } from './drafts.ts';
import { settled } from './problems.ts';
import type { Reading } from './reading.ts';

/** Width and height of an image. */
export interface ImageExtent {
  width: number;
  height: number;
}

/** Default of `maxPixels`, here for sizes that annotations name. */
const maxPixels = 100_000_000;

/**
 * The size of each image as it will be loaded, `undefined` for one that cannot be opened. The file counts; where the annotations say
 * something else, that is reported.
 */
export async function imageSizes(
  images: readonly DraftImage[],
  reading: Reading,
): Promise<(ImageExtent | undefined)[]> {
  const { report, path } = reading;
  const found = await mapConcurrent(images, 8, (image) =>
    report.attempt(path(image.file), () => imageSize(image, reading)),
  );
  // Told here and not when they are found, which is in any order.
  for (const [i, image] of images.entries()) {
    const { what, action } = found[i]?.problem ?? {};
    if (what !== undefined && action !== undefined) report.warn(image.place, what, action);
  }
  return found.map((size) => size && { width: size.width, height: size.height });
}

async function imageSize(
  image: DraftImage,
  { options, path }: Reading,
): Promise<ImageExtent & { problem?: { what: string; action: string } }> {
  const file = path(image.file);
  const check = options.check ?? 'headers';
  const said = image.size && isSize(image.size, options.maxPixels) ? image.size : undefined;
  if (check === 'names' && said) return said;
  const read = check === 'pixels' ? readImage : readImageSize;
  const { width, height } = await read(file, options);
  if (said && (said.width !== width || said.height !== height)) {
    await refuseTurned(image, said, { options, path });
    const what = `the annotations are for ${said.width}x${said.height} pixels, ${image.file} has ${width}x${height}`;
    return { width, height, problem: { what, action: 'the size of the image counts, boxes are not scaled' } };
  }
  if (said || !image.sized) return { width, height };
  const what = image.size
    ? `the annotations give the size ${shownNumber(image.size.width)}x${shownNumber(image.size.height)}`
    : 'the annotations give no size';
  return { width, height, problem: { what, action: `taken from the image: ${width}x${height}` } };
}

const shownNumber = (value: number) => (Number.isNaN(value) ? 'none' : String(value));

const isSize = ({ width, height }: ImageExtent, limit = maxPixels) =>
  Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0 && width * height <= limit;

/** @throws ImageSizeError if the annotations are for the image as stored, and it is turned when it is read. */
async function refuseTurned(
  image: DraftImage,
  said: ImageExtent,
  { options, path }: Pick<Reading, 'options' | 'path'>,
): Promise<void> {
  if (!(options.autoOrient ?? true)) return;
  const stored = await readImageSize(path(image.file), { ...options, autoOrient: false });
  if (said.width !== stored.width || said.height !== stored.height) return;
  throw new ImageSizeError(
    {
      what: `the annotations are for ${image.file} as stored, before its EXIF orientation turns it`,
      expected: `${stored.height}x${stored.width}, as viewers show it`,
      received: `${said.width}x${said.height}`,
      fix: 'pass autoOrient: false, or save the images upright without EXIF orientation',
    },
    settled(image.place),
  );
}
