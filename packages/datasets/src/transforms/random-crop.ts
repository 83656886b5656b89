import { OptionError } from '../errors.ts';
import type { Rng } from '../rng.ts';
import type { LabelMap, Transform } from '../sample.ts';
import { assertSize, type Size } from './options.ts';
import { cropImage, cropMask, type Window } from './resample.ts';

/** How {@link randomCrop} chooses its window. */
export interface RandomCropOptions {
  /** Height and width of the crop. A smaller sample is cropped to what it has; `pad` fills it up. */
  size: Size;
  /** Share of the labelled pixels that one class may take before another window is tried. Default: 0.75; 1 takes any. */
  catMaxRatio?: number;
  /** Windows that are tried before the next one is taken as it comes. Default: 10. */
  tries?: number;
  /** Label that does not count. Default: 255. */
  ignoreIndex?: number;
}

/**
 * Cuts the same random window out of image and mask.
 *
 * A window in which one class takes `catMaxRatio` or more of the labelled pixels, or the only class, is drawn again, up to
 * `tries` times (mmsegmentation's `RandomCrop`).
 *
 * @throws OptionError if the size is not positive.
 */
export function randomCrop(options: RandomCropOptions): Transform {
  assertCrop(options);
  return ({ name, image, mask }, rng) => {
    const window = drawWindow([image.height, image.width], options, rng, (w) => cropMask(mask, w));
    return { name, image: cropImage(image, window), mask: cropMask(mask, window) };
  };
}

/**
 * Draws a window: two numbers for each try.
 *
 * @param size Height and width of the picture it lies in.
 * @param maskAt The labels of a window.
 */
export function drawWindow(
  [height, width]: Size,
  { size, catMaxRatio = 0.75, tries = 10, ignoreIndex = 255 }: RandomCropOptions,
  rng: Rng,
  maskAt: (window: Window) => LabelMap,
): Window {
  const [h, w] = [Math.min(size[0], height), Math.min(size[1], width)];
  const draw = (): Window => ({
    top: rng.integer(height - h + 1),
    left: rng.integer(width - w + 1),
    height: h,
    width: w,
  });
  let window = draw();
  if (catMaxRatio >= 1 || (h === height && w === width)) return window;
  for (let i = 0; i < tries; i++) {
    if (isMixed(maskAt(window), catMaxRatio, ignoreIndex)) break;
    window = draw();
  }
  return window;
}

/** Whether there are two classes or more and none takes the share `most` of the labelled pixels. */
function isMixed({ data }: LabelMap, most: number, ignoreIndex: number): boolean {
  const counts = new Uint32Array(ignoreIndex > 255 ? 65536 : 256); // 255 is ignored unless there are more classes
  for (let i = 0; i < data.length; i++) counts[data[i]!]!++;
  counts[ignoreIndex] = 0;
  let [labelled, largest, classes] = [0, 0, 0];
  for (const count of counts) {
    if (count === 0) continue;
    labelled += count;
    classes++;
    if (count > largest) largest = count;
  }
  return classes > 1 && largest / labelled < most;
}

/** @throws OptionError if the options cannot work. */
export function assertCrop({ size, catMaxRatio = 0.75, tries = 10 }: RandomCropOptions): void {
  assertSize(size, 'the size of the crop');
  if (catMaxRatio > 0 && catMaxRatio <= 1 && Number.isInteger(tries) && tries >= 0) return;
  throw new OptionError({
    what: 'the category cap of the crop is out of range',
    expected: '0 < catMaxRatio <= 1 and a number of tries',
    received: `catMaxRatio ${catMaxRatio}, tries ${tries}`,
  });
}
