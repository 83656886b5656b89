import type { LabelMap, RgbImage } from '../sample.ts';
import type { Size } from './options.ts';

/** A part of a picture in pixels: first row, first column, height and width. */
export interface Window {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Interleaved rows of any numbers: `channels` values a pixel. */
interface Plane {
  width: number;
  height: number;
  data: ArrayLike<number>;
}

/**
 * Bilinear resampling with half-pixel centres, as `torch.nn.functional.interpolate(mode='bilinear',
 * align_corners=False)` without antialiasing. Only the given window of the resized picture is computed.
 *
 * @param size Height and width of the whole resized picture.
 * @param out Where the window goes, row by row; a `Uint8ClampedArray` rounds.
 */
export function bilinear(
  { width, height, data }: Plane,
  channels: number,
  [outHeight, outWidth]: Size,
  window: Window,
  out: Uint8ClampedArray | Float32Array,
): void {
  const columns = linearTaps(width, outWidth, window.left, window.width);
  const rows = linearTaps(height, outHeight, window.top, window.height);
  const rowLength = width * channels;
  // Rows are blended first, over the columns that the window needs, then the columns of the blended row.
  const from = columns.low[0]! * channels;
  const to = (columns.high[window.width - 1]! + 1) * channels;
  const blended = new Float32Array(rowLength);
  let at = 0;
  for (let y = 0; y < window.height; y++) {
    const upper = rows.low[y]! * rowLength;
    const lower = rows.high[y]! * rowLength;
    const wy = rows.weight[y]!;
    for (let i = from; i < to; i++) {
      const v = data[upper + i]!;
      blended[i] = v + wy * (data[lower + i]! - v);
    }
    for (let x = 0; x < window.width; x++) {
      const left = columns.low[x]! * channels;
      const right = columns.high[x]! * channels;
      const wx = columns.weight[x]!;
      for (let c = 0; c < channels; c++) {
        const v = blended[left + c]!;
        out[at++] = v + wx * (blended[right + c]! - v);
      }
    }
  }
}

/** For each output position the two source positions it lies between and the weight of the higher one. */
function linearTaps(input: number, output: number, first: number, count: number) {
  const low = new Int32Array(count);
  const high = new Int32Array(count);
  const weight = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const center = Math.max(0, ((first + i + 0.5) * input) / output - 0.5);
    low[i] = Math.min(Math.floor(center), input - 1);
    high[i] = Math.min(low[i]! + 1, input - 1);
    weight[i] = Math.min(center - low[i]!, 1);
  }
  return { low, high, weight };
}

/** Resizes an image bilinearly to `[height, width]`; with a window only that part of the result. */
export function resizeImage(image: RgbImage, size: Size, window = whole(size)): RgbImage {
  if (image.height === size[0] && image.width === size[1]) return cropImage(image, window);
  const out = new Uint8ClampedArray(window.height * window.width * 3);
  bilinear(image, 3, size, window, out);
  return { width: window.width, height: window.height, data: new Uint8Array(out.buffer) };
}

/**
 * Resizes a label map to `[height, width]` by the nearest pixel centre, torch's `'nearest-exact'`: the only nearest mode
 * that stays aligned with the half-pixel bilinear image. (torch's `'nearest'` and OpenCV's `INTER_NEAREST` sit up to half a
 * source pixel to the top left.) With a window only that part of the result is computed.
 */
export function resizeMask(mask: LabelMap, size: Size, window = whole(size)): LabelMap {
  if (mask.height === size[0] && mask.width === size[1]) return cropMask(mask, window);
  const data = new Int32Array(window.height * window.width);
  const columns = nearest(mask.width, size[1], window.left, window.width);
  const rows = nearest(mask.height, size[0], window.top, window.height);
  for (let y = 0, at = 0; y < window.height; y++) {
    const row = rows[y]! * mask.width;
    for (let x = 0; x < window.width; x++) data[at++] = mask.data[row + columns[x]!]!;
  }
  return { width: window.width, height: window.height, data };
}

/** Source position of each output position: floor((i + 0.5) * input / output), in whole numbers. */
function nearest(input: number, output: number, first: number, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) =>
    Math.floor(((2 * (first + i) + 1) * input) / (2 * output)),
  );
}

/** The window of an image. */
export function cropImage(image: RgbImage, window: Window): RgbImage {
  return crop(image, 3, window, new Uint8Array(window.height * window.width * 3));
}

/** The window of a label map. */
export function cropMask(mask: LabelMap, window: Window): LabelMap {
  return crop(mask, 1, window, new Int32Array(window.height * window.width));
}

function crop<T extends Uint8Array | Int32Array>(
  source: { width: number; data: T },
  channels: number,
  { top, left, height, width }: Window,
  data: T,
): { width: number; height: number; data: T } {
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * source.width + left) * channels;
    data.set(source.data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, data };
}

const whole = ([height, width]: Size): Window => ({ top: 0, left: 0, height, width });
