import { mapConcurrent } from './concurrent.ts';
import { MaskSizeError } from './errors.ts';
import type { MaskPair } from './pairing.ts';
import { type ImageOptions, readImageSize, refuseLarge } from './read-image.ts';
import { readMaskHeader } from './read-mask.ts';

/**
 * Checks by the headers alone that every image and mask can be opened and that their sizes agree.
 *
 * @throws ImageDecodeError, ImageTooLargeError, MaskFormatError, MaskSizeError
 */
export async function checkSizes(pairs: readonly MaskPair[], options: ImageOptions): Promise<void> {
  await mapConcurrent(pairs, 8, async ({ image, mask }) => {
    const [size, header] = await Promise.all([readImageSize(image, options), readMaskHeader(mask)]);
    refuseLarge(mask, header.width, header.height, options.maxPixels);
    assertSameSize(size, header, image, mask, options);
  });
}

/** @throws MaskSizeError if the mask is not of the size of its image. */
export function assertSameSize(
  image: { width: number; height: number },
  mask: { width: number; height: number },
  imageFile: string,
  maskFile: string,
  { autoOrient = true }: ImageOptions = {},
): void {
  if (image.width === mask.width && image.height === mask.height) return;
  const turned = image.width === mask.height && image.height === mask.width;
  throw new MaskSizeError({
    what: `${maskFile} is not of the size of its image ${imageFile}`,
    expected: `${image.width}x${image.height}`,
    received: `${mask.width}x${mask.height}`,
    fix:
      turned && autoOrient
        ? 'pass autoOrient: false if the mask was drawn on the image as stored, before its EXIF orientation'
        : 'export the mask at the size of the image (nearest neighbour, never blended)',
  });
}
