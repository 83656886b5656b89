import type { Box, DetectionObject } from '../sample.ts';
import { placeOutline } from './place-outline.ts';
import { type Placement, placeBox, sharedBox } from './placement.ts';

/** The least width and height of a box that an object keeps, by default. */
const defaultMinSide = 1;

/**
 * The objects where a placement puts them. Boxes and outlines are cut at the border; an object that is cut gets the box of what is
 * left of its outline, if it has one. Objects whose box is then narrower or lower than `minSide` pixels, or empty, are left out.
 */
export function placeObjects(
  objects: readonly DetectionObject[],
  to: Placement,
  minSide = defaultMinSide,
): DetectionObject[] {
  return objects.map((object) => placeObject(object, to)).filter(({ box }) => isLargeBox(box, minSide));
}

function placeObject({ segmentation, area, ...rest }: DetectionObject, to: Placement): DetectionObject {
  const whole = placeBox(rest.box, to);
  const border: Box = [0, 0, to.width, to.height];
  let box = sharedBox(whole, border);
  const isCut = box.some((edge, k) => Math.abs(edge - whole[k]!) > 1e-6);
  const outline = segmentation && placeOutline(segmentation, to);
  if (isCut && segmentation) box = sharedBox(box, outline?.box ?? [0, 0, 0, 0]);
  return {
    ...rest,
    box,
    ...(area !== undefined && !isCut && { area: area * to.scaleX * to.scaleY }),
    ...(outline && { segmentation: outline.segmentation }),
  };
}

function isLargeBox([x1, y1, x2, y2]: Box, minSide: number): boolean {
  const least = Math.min(x2 - x1, y2 - y1);
  return least > 0 && least >= minSide;
}
