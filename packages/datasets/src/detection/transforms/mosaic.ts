import type { Rng } from '../../rng.ts';
import { pasteImage } from '../../transforms/paste.ts';
import { resizeImage, type Window } from '../../transforms/resample.ts';
import type { Box, DetectionObject, DetectionSample } from '../sample.ts';
import { shareInside } from './crop.ts';
import { placeObjects } from './place.ts';
import { placement } from './placement.ts';

/** The share of its box that an object must keep. */
const leastShare = 0.1;

/**
 * Four samples in one picture of the first one's size: they meet at a random point of its middle half, each resized to fill its
 * quarter and cut, evenly on both sides, where it is longer. Objects of whose box less than a tenth is left are left out.
 *
 * Source: the mosaic of YOLOv4, Bochkovskiy et al., arXiv 2004.10934, section 3.3; there the four fill twice the size.
 *
 * @param count Number of samples that the other three are drawn from.
 * @param load Loads one of them.
 */
export async function mosaicOf(
  first: DetectionSample,
  count: number,
  load: (index: number) => Promise<DetectionSample>,
  random: Rng,
): Promise<DetectionSample> {
  const { width, height } = first.image;
  const x = Math.round(width * random.uniform(0.25, 0.75));
  const y = Math.round(height * random.uniform(0.25, 0.75));
  const others = [0, 1, 2].map(() => random.integer(count));
  const samples = [first, ...(await Promise.all(others.map(load)))];
  const image = { width, height, data: new Uint8Array(width * height * 3) };
  const quarters: Window[] = [
    { left: 0, top: 0, width: x, height: y },
    { left: x, top: 0, width: width - x, height: y },
    { left: 0, top: y, width: x, height: height - y },
    { left: x, top: y, width: width - x, height: height - y },
  ];
  const objects = quarters.flatMap((quarter, i) => {
    if (quarter.width === 0 || quarter.height === 0) return [];
    const part = filled(samples[i]!, quarter);
    pasteImage(part.image, image, quarter.left, quarter.top);
    return placeObjects(part.objects, placement(image, { left: quarter.left, top: quarter.top }));
  });
  return { name: first.name, image, objects };
}

/** The middle of a sample, resized to a size. */
function filled({ name, image, objects }: DetectionSample, to: Window): DetectionSample {
  const scale = Math.max(to.width / image.width, to.height / image.height);
  const [height, width] = [image.height, image.width].map((side) => Math.ceil(side * scale - 1e-9)) as [
    number,
    number,
  ];
  const [left, top] = [(width - to.width) >> 1, (height - to.height) >> 1];
  const [scaleX, scaleY] = [width / image.width, height / image.height];
  const seen: Box = [left / scaleX, top / scaleY, (left + to.width) / scaleX, (top + to.height) / scaleY];
  const stays = ({ box, crowd }: DetectionObject) => crowd || shareInside(box, seen) >= leastShare;
  return {
    name,
    image: resizeImage(image, [height, width], { left, top, width: to.width, height: to.height }),
    objects: placeObjects(objects.filter(stays), placement(to, { scaleX, scaleY, left: -left, top: -top })),
  };
}
