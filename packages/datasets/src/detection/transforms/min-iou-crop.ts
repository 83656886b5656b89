import type { Rng } from '../../rng.ts';
import { cropImage } from '../../transforms/resample.ts';
import type { Box, DetectionObject, DetectionSample, DetectionTransform } from '../sample.ts';
import { placement, placeObjects } from './place.ts';

/** How {@link minIouCrop} chooses its window. */
export interface MinIouCropOptions {
  /** Overlaps with the objects that a crop may be asked for. Default: 0.1, 0.3, 0.5, 0.7 and 0.9. */
  overlaps?: readonly number[];
  /** Least share of each side that a crop has. Default: 0.3. */
  minSize?: number;
}

/** Tries before another overlap is drawn, and draws before the image is left as it is. */
const [tries, draws] = [50, 20];

/**
 * Cuts a random window out of an image. First a least overlap is drawn, one of them being "none asked" and one "leave the image as
 * it is"; a window of a side ratio between ½ and 2 is taken whose IoU with every object in it is at least that. Objects whose
 * centre lies outside are left out, the others cut. An image without objects stays as it is.
 *
 * Source: the sampling of SSD, Liu et al., arXiv 1512.02325, section 2.2; as mmdetection's `MinIoURandomCrop`.
 */
export function minIouCrop({
  overlaps = [0.1, 0.3, 0.5, 0.7, 0.9],
  minSize = 0.3,
}: MinIouCropOptions = {}): DetectionTransform {
  const modes = [1, ...overlaps, 0];
  return (sample, rng) => {
    if (sample.objects.length === 0) return sample;
    for (let draw = 0; draw < draws; draw++) {
      const least = modes[rng.integer(modes.length)]!;
      if (least === 1) return sample;
      for (let attempt = 0; attempt < tries; attempt++) {
        const window = drawWindow(sample, minSize, rng);
        const kept = window && centredIn(sample.objects, window, least);
        if (kept) return cropSample(sample, window, kept);
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

/** The objects with their centre in the window, if there are any and each overlaps it enough. */
function centredIn(
  objects: readonly DetectionObject[],
  window: Box,
  least: number,
): DetectionObject[] | undefined {
  if (objects.some(({ box }) => iou(box, window) < least)) return undefined;
  const kept = objects.filter(({ box: [x1, y1, x2, y2] }) => {
    const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
    return x > window[0] && x < window[2] && y > window[1] && y < window[3];
  });
  return kept.length > 0 ? kept : undefined;
}

function iou(a: Box, b: Box): number {
  const side = (k: 0 | 1) => Math.max(0, Math.min(a[k + 2]!, b[k + 2]!) - Math.max(a[k]!, b[k]!));
  const shared = side(0) * side(1);
  const area = ([x1, y1, x2, y2]: Box) => (x2 - x1) * (y2 - y1);
  return shared === 0 ? 0 : shared / (area(a) + area(b) - shared);
}

/** The window of a sample, with the given objects of it. */
export function cropSample(
  sample: DetectionSample,
  [left, top, right, bottom]: Box,
  objects: readonly DetectionObject[],
): DetectionSample {
  const window = { left, top, width: right - left, height: bottom - top };
  const to = placement(window, { left: -left, top: -top });
  return { ...sample, image: cropImage(sample.image, window), objects: placeObjects(objects, to) };
}
