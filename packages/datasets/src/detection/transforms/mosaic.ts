import type { Rng } from '../../rng.ts';
import { cropImage, resizeImage } from '../../transforms/resample.ts';
import type { DetectionSample } from '../sample.ts';
import { placement, placeObjects } from './place.ts';

/**
 * Four samples in one picture of the first one's size: they meet at a random point of its middle half, each resized to fill its
 * quarter and cut where it would not.
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
  const [x, y] = [width, height].map((side) => Math.round(side * random.uniform(0.25, 0.75))) as [
    number,
    number,
  ];
  const others = [0, 1, 2].map(() => random.integer(count));
  const samples = [first, ...(await Promise.all(others.map(load)))];
  const out: DetectionSample = {
    name: first.name,
    image: { width, height, data: new Uint8Array(width * height * 3) },
    objects: [],
  };
  const quarters = [
    { left: 0, top: 0, width: x, height: y },
    { left: x, top: 0, width: width - x, height: y },
    { left: 0, top: y, width: x, height: height - y },
    { left: x, top: y, width: width - x, height: height - y },
  ];
  quarters.forEach((quarter, i) => {
    if (quarter.width > 0 && quarter.height > 0) place(samples[i]!, quarter, out);
  });
  return out;
}

interface Quarter {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Fills a quarter with a sample, its middle where the sample is too long. */
function place({ image, objects }: DetectionSample, quarter: Quarter, out: DetectionSample): void {
  const scale = Math.max(quarter.width / image.width, quarter.height / image.height);
  const size = [image.height, image.width].map((side) => Math.ceil(side * scale - 1e-9)) as [number, number];
  const left = (size[1] - quarter.width) >> 1;
  const top = (size[0] - quarter.height) >> 1;
  const part = cropImage(resizeImage(image, size), {
    left,
    top,
    width: quarter.width,
    height: quarter.height,
  });
  const row = quarter.width * 3;
  for (let line = 0; line < quarter.height; line++) {
    const at = ((quarter.top + line) * out.image.width + quarter.left) * 3;
    out.image.data.set(part.data.subarray(line * row, (line + 1) * row), at);
  }
  const scaleOf = { scaleX: size[1] / image.width, scaleY: size[0] / image.height };
  const inside = placeObjects(objects, placement(quarter, { ...scaleOf, left: -left, top: -top }));
  const onto = placement(out.image, { left: quarter.left, top: quarter.top });
  out.objects.push(...placeObjects(inside, onto));
}
