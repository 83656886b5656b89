import type { Rgb } from '../color-map.ts';
import type { RgbImage } from '../sample.ts';
import { type Area, blendPicture, fillArea } from './canvas.ts';
import { textHeight, textPicture } from './text.ts';

/** A text at a frame. */
export interface Label {
  text: string;
  /** The frame. */
  at: Area;
  color: Rgb;
}

/**
 * Writes labels at their frames, in place: above the frame, inside or below it, where no earlier label is. The first has the first
 * choice and is on top.
 *
 * @param apart Whether a label without a free place is left out; else it goes above its frame.
 */
export async function drawLabels(
  image: RgbImage,
  labels: readonly Label[],
  scale: number,
  apart: boolean,
): Promise<void> {
  const taken: Area[] = [];
  const placed: { picture: Awaited<ReturnType<typeof textPicture>>; area: Area; color: Rgb }[] = [];
  for (const { text, at, color } of labels) {
    const picture = await textPicture(text, scale);
    const places = placesOf(at, picture.width + 4 * scale, textHeight(scale) + 3 * scale, image);
    const free = places.find((place) => !taken.some((other) => overlap(place, other)));
    if (!free && apart) continue;
    const area = free ?? places[0]!;
    taken.push(area);
    placed.push({ picture, area, color });
  }
  for (const { picture, area, color } of placed.reverse()) {
    fillArea(image, area, color);
    blendPicture(image, picture, [area[0] + 2 * scale, area[1] + 2 * scale], inkOn(color));
  }
}

/** Where a label may go, the best place first, pushed into the image. */
function placesOf([x1, y1, , y2]: Area, width: number, height: number, image: RgbImage): Area[] {
  const left = Math.max(0, Math.min(x1, image.width - width));
  const tops = y1 >= height ? [y1 - height, y1, y2] : [y1, y2];
  return tops.map((y) => {
    const top = Math.max(0, Math.min(y, image.height - height));
    return [left, top, left + width, top + height];
  });
}

const overlap = (a: Area, b: Area) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Black or white, whichever is easier to read on the colour. */
function inkOn([red, green, blue]: Rgb): Rgb {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? [0, 0, 0] : [255, 255, 255];
}
