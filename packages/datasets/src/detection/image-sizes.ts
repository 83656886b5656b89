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
export function imageSizes(
  images: readonly DraftImage[],
  reading: Reading,
): Promise<(ImageExtent | undefined)[]> {
  return mapConcurrent(images, 8, (image) =>
    reading.report.attempt(reading.path(image.file), () => imageSize(image, reading)),
  );
}

async function imageSize(image: DraftImage, { options, path, report }: Reading): Promise<ImageExtent> {
  const file = path(image.file);
  const check = options.check ?? 'headers';
  const said = image.size && isSize(image.size, options.maxPixels) ? image.size : undefined;
  if (check === 'names' && said) return said;
  const size = check === 'pixels' ? await readImage(file, options) : await readImageSize(file, options);
  const { width, height } = size;
  if (said && (said.width !== width || said.height !== height)) {
    await refuseTurned(image, said, { options, path });
    report.warn(
      image.place,
      `the annotations are for ${said.width}x${said.height} pixels, ${image.file} has ${width}x${height}`,
      'the size of the image counts, boxes are not scaled',
    );
  } else if (!said && image.sized) {
    const what = image.size
      ? `the annotations give the size ${shownNumber(image.size.width)}x${shownNumber(image.size.height)}`
      : 'the annotations give no size';
    report.warn(image.place, what, `taken from the image: ${width}x${height}`);
  }
  return { width, height };
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
