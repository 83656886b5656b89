import type { RgbImage, Transform } from '../sample.ts';

/** Mirrors image and mask left to right with the given probability (default 0.5). */
export function randomFlip(probability = 0.5): Transform {
  return (sample, rng) => {
    if (!rng.chance(probability)) return sample;
    const { name, image, mask } = sample;
    return {
      name,
      image: mirrorImage(image),
      mask: { ...mask, data: mirrored(mask.data, mask.width, 1, new Int32Array(mask.data.length)) },
    };
  };
}

/** The image mirrored left to right. */
export function mirrorImage(image: RgbImage): RgbImage {
  return { ...image, data: mirrored(image.data, image.width, 3, new Uint8Array(image.data.length)) };
}

function mirrored<T extends Uint8Array | Int32Array>(data: T, width: number, channels: number, out: T): T {
  const rowLength = width * channels;
  for (let row = 0; row < data.length; row += rowLength) {
    for (let x = 0; x < width; x++) {
      const from = row + x * channels;
      const to = row + (width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = data[from + c]!;
    }
  }
  return out;
}
