import { OptionError } from '../../errors.ts';
import { assertSize, type Size } from '../../transforms/options.ts';
import type { Box, DetectionTransform } from '../sample.ts';
import { cropSample, hasCentreIn, shareInside } from './crop.ts';

/** How {@link randomObjectCrop} cuts. */
export interface RandomObjectCropOptions {
  /** Height and width of the window. A smaller image is cut to what it has. */
  size: Size;
  /**
   * Which objects stay: those whose centre lies in the window, or those of whose box at least this share does, above 0.
   * Default: `'centre'`.
   */
  keep?: 'centre' | number | undefined;
  /** Objects whose box becomes narrower or lower than this, in pixels, are left out. Default: 1. */
  minSide?: number | undefined;
}

/**
 * Cuts a random window out of an image, each place as likely, and out of the objects that stay. A crowd stays as far as it is
 * seen. The image may be left without objects.
 *
 * @throws OptionError if an option is out of range.
 */
export function randomObjectCrop(options: RandomObjectCropOptions): DetectionTransform {
  const { size, keep = 'centre', minSide } = options;
  assertSize(size, 'the size of the crop');
  assertKeep(keep);
  const keeps = keep === 'centre' ? hasCentreIn : (box: Box, window: Box) => shareInside(box, window) >= keep;
  return (sample, rng) => {
    const { image } = sample;
    const [height, width] = [Math.min(size[0], image.height), Math.min(size[1], image.width)];
    const top = rng.integer(image.height - height + 1);
    const left = rng.integer(image.width - width + 1);
    if (height === image.height && width === image.width) return sample;
    return cropSample(sample, [left, top, left + width, top + height], { keeps, minSide });
  };
}

function assertKeep(keep: 'centre' | number): void {
  if (keep === 'centre' || (keep > 0 && keep <= 1)) return;
  throw new OptionError({
    what: 'the objects that a crop keeps are unclear',
    expected: "'centre', or a share above 0 and at most 1",
    received: String(keep),
  });
}
