import { cropImage } from '../../transforms/resample.ts';
import type { Box, DetectionSample } from '../sample.ts';
import { placeObjects } from './place.ts';
import { placement, sharedBox } from './placement.ts';

/** What stays of the objects that a window cuts. */
export interface CropRule {
  /** Whether an object stays, by its box and the window; a crowd always does. */
  keeps: (box: Box, window: Box) => boolean;
  /** Least width and height of the box then. */
  minSide?: number | undefined;
}

/** The window of a sample; its edges are whole numbers inside the image. */
export function cropSample(
  sample: DetectionSample,
  window: Box,
  { keeps, minSide }: CropRule,
): DetectionSample {
  const [left, top, right, bottom] = window;
  const part = { left, top, width: right - left, height: bottom - top };
  const to = placement(part, { left: -left, top: -top });
  const kept = sample.objects.filter(({ box, crowd }) => crowd || keeps(box, window));
  return { ...sample, image: cropImage(sample.image, part), objects: placeObjects(kept, to, minSide) };
}

/** Whether the centre of a box lies in a window. */
export function hasCentreIn([x1, y1, x2, y2]: Box, [left, top, right, bottom]: Box): boolean {
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return x > left && x < right && y > top && y < bottom;
}

/** The share of a box that lies in a window. */
export function shareInside(box: Box, window: Box): number {
  const [x1, y1, x2, y2] = sharedBox(box, window);
  return (Math.max(0, x2 - x1) * Math.max(0, y2 - y1)) / ((box[2] - box[0]) * (box[3] - box[1]));
}
