import { OptionError } from '../../errors.ts';
import type { Rng } from '../../rng.ts';
import type { Box, DetectionObject, DetectionSample, DetectionTransform } from '../sample.ts';
import { cropSample, hasCentreIn } from './crop.ts';
import { sharedBox } from './placement.ts';

/** How {@link minIouCrop} chooses its window. */
export interface MinIouCropOptions {
  /** Overlaps with the objects that a crop may be asked for. Default: 0.1, 0.3, 0.5, 0.7 and 0.9. */
  overlaps?: readonly number[] | undefined;
  /** Least share of each side that a crop has. Default: 0.3. */
  minSize?: number | undefined;
  /** Objects whose box becomes narrower or lower than this, in pixels, are left out. Default: 1. */
  minSide?: number | undefined;
}

/** Windows that are tried before another overlap is drawn, and overlaps before the image is left as it is. */
const [tries, draws] = [40, 20];

/**
 * Cuts a random window out of an image, as SSD does. First the overlap that is asked for is drawn: one of `overlaps`, none, or "leave
 * the image as it is". Then windows of a side ratio from ½ to 2 are tried until one holds the centre of an object, and its IoU with
 * an object whose centre it holds is at least that overlap. Objects with their centre outside are left out, the others cut; a crowd
 * stays as far as it is seen. An image without objects stays as it is.
 *
 * Source: Liu et al., SSD, arXiv 1512.02325, section 2.2, with the constraint as its own code and torchvision's `RandomIoUCrop` have
 * it (mmdetection's `MinIoURandomCrop` asks it of every object, which many small ones cannot meet).
 *
 * @throws OptionError if an option is no share.
 */
export function minIouCrop(options: MinIouCropOptions = {}): DetectionTransform {
  const { overlaps = [0.1, 0.3, 0.5, 0.7, 0.9], minSize = 0.3, minSide } = options;
  assertShares([...overlaps, minSize]);
  const modes = ['whole', ...overlaps, 0] as const;
  return (sample, rng) => {
    const wanted = sample.objects.filter(({ crowd }) => !crowd);
    if (wanted.length === 0) return sample;
    for (let draw = 0; draw < draws; draw++) {
      const least = modes[rng.integer(modes.length)]!;
      if (least === 'whole') return sample;
      for (let attempt = 0; attempt < tries; attempt++) {
        const window = drawWindow(sample, minSize, rng);
        if (!window || !overlapsEnough(wanted, window, least)) continue;
        return cropSample(sample, window, { keeps: hasCentreIn, minSide });
      }
    }
    return sample;
  };
}

function drawWindow({ image }: DetectionSample, minSize: number, rng: Rng): Box | undefined {
  const [width, height] = [image.width, image.height].map((side) =>
    Math.max(1, Math.floor(rng.uniform(minSize * side, side))),
  ) as [number, number];
  if (height / width < 0.5 || height / width > 2) return undefined;
  const [left, top] = [rng.integer(image.width - width + 1), rng.integer(image.height - height + 1)];
  return [left, top, left + width, top + height];
}

/** Whether the window holds the centre of an object that it overlaps enough. */
function overlapsEnough(objects: readonly DetectionObject[], window: Box, least: number): boolean {
  return objects.some(({ box }) => hasCentreIn(box, window) && iou(box, window) >= least);
}

function iou(a: Box, b: Box): number {
  const area = ([x1, y1, x2, y2]: Box) => Math.max(0, x2 - x1) * Math.max(0, y2 - y1);
  const shared = area(sharedBox(a, b));
  return shared === 0 ? 0 : shared / (area(a) + area(b) - shared);
}

function assertShares(values: readonly number[]): void {
  const wrong = values.find((value) => !(value > 0 && value <= 1));
  if (wrong === undefined) return;
  throw new OptionError({
    what: 'an option of the crop is out of range',
    expected: 'overlaps and minSize above 0, at most 1',
    received: String(wrong),
  });
}
