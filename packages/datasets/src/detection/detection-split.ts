import { ImageSizeError, OptionError } from '../errors.ts';
import { type ImageOptions, readImage } from '../read-image.ts';
import type { DetectionSplit } from './sample.ts';
import type { SettledImage } from './settle-split.ts';

/** A split over images whose annotations were settled. */
export function detectionSplit(images: readonly SettledImage[], options: ImageOptions): DetectionSplit {
  const at = (index: number) => {
    const found = images[index];
    if (found) return found.info;
    throw new OptionError({ what: `there is no sample ${index}`, expected: `0 to ${images.length - 1}` });
  };
  return {
    length: images.length,
    names: images.map(({ info }) => info.name),
    info: at,
    async load(index) {
      const { name, file, width, height, objects } = at(index);
      const image = await readImage(file, options);
      if (image.width === width && image.height === height) return { name, image, objects: [...objects] };
      throw new ImageSizeError(
        {
          what: 'the image is not of the size it had in the annotations, or when the data set was opened',
          expected: `${width}x${height}`,
          received: `${image.width}x${image.height}`,
          fix: "open the data set with check: 'headers'",
        },
        { file },
      );
    },
  };
}
