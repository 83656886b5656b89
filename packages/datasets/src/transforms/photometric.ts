import type { Rng } from '../rng.ts';
import type { RgbImage } from '../sample.ts';

/** Strengths of {@link photometricDistortion}; the defaults are mmsegmentation's. */
export interface PhotometricOptions {
  /** Most that is added to or taken from every channel, of 255. Default: 32. */
  brightness?: number;
  /** Range of the factor on every channel. Default: [0.5, 1.5]. */
  contrast?: readonly [number, number];
  /** Range of the factor on the saturation. Default: [0.5, 1.5]. */
  saturation?: readonly [number, number];
  /** Most that the hue turns, in degrees. Default: 36 (18 steps of OpenCV's hue). */
  hue?: number;
}

/**
 * Changes brightness, contrast, saturation and hue of the image, each with probability one half; mask or objects stay.
 *
 * The order is mmsegmentation's `PhotoMetricDistortion`: brightness; contrast here or at the end, by a coin;
 * saturation; hue. Values are clipped to 0..255 after each step. Saturation and hue are changed in HSV without rounding in
 * between (OpenCV rounds hue to 2 degrees).
 */
export function photometricDistortion(
  options: PhotometricOptions = {},
): <S extends { image: RgbImage }>(sample: S, rng: Rng) => S {
  const { brightness = 32, contrast = [0.5, 1.5], saturation = [0.5, 1.5], hue = 36 } = options;
  return (sample, rng) => {
    const add = maybe(rng, () => rng.uniform(-brightness, brightness), 0);
    const contrastFirst = rng.chance(0.5);
    const early = contrastFirst ? maybe(rng, () => rng.uniform(...contrast), 1) : 1;
    const saturate = maybe(rng, () => rng.uniform(...saturation), 1);
    const turn = maybe(rng, () => rng.uniform(-hue, hue), 0);
    const late = contrastFirst ? 1 : maybe(rng, () => rng.uniform(...contrast), 1);
    if (add === 0 && early === 1 && saturate === 1 && turn === 0 && late === 1) return sample;
    return { ...sample, image: distort(sample.image, { add, early, saturate, turn, late }) };
  };
}

const maybe = (rng: Rng, draw: () => number, otherwise: number) => (rng.chance(0.5) ? draw() : otherwise);

interface Distortion {
  /** Added to every channel. */
  add: number;
  /** Factor on every channel before saturation and hue. */
  early: number;
  /** Factor on the saturation. */
  saturate: number;
  /** Degrees that the hue turns. */
  turn: number;
  /** Factor on every channel at the end. */
  late: number;
}

/** Applies one drawn distortion. */
export function distort(image: RgbImage, distortion: Distortion): RgbImage {
  const { add, early, saturate, turn, late } = distortion;
  const before = curve((v) => clip(clip(v + add) * early));
  const out = new Uint8ClampedArray(image.data.length);
  if (saturate === 1 && turn === 0) {
    const whole = curve((v) => clip(before[v]! * late));
    for (let i = 0; i < out.length; i++) out[i] = whole[image.data[i]!]!;
  } else {
    distortHsv(image.data, before, distortion, out);
  }
  return { ...image, data: new Uint8Array(out.buffer) };
}

const clip = (v: number) => Math.min(Math.max(v, 0), 255);

/** A function of a channel value as a table. */
const curve = (f: (v: number) => number) => Float32Array.from({ length: 256 }, (_, v) => f(v));

/**
 * For each pixel: `before` on every channel, the saturation (capped at full) times `saturate`, the hue turned by `turn`,
 * every channel times `late`. The value (largest channel) is kept by the two steps in the middle.
 */
function distortHsv(
  data: Uint8Array,
  before: Float32Array,
  { saturate, turn, late }: Distortion,
  out: Uint8ClampedArray,
): void {
  const shift = turn / 60 + 12; // in sixths of the colour circle, made positive
  for (let i = 0; i < out.length; i += 3) {
    const r = before[data[i]!]!;
    const g = before[data[i + 1]!]!;
    const b = before[data[i + 2]!]!;
    const value = Math.max(r, g, b);
    const range = value - Math.min(r, g, b);
    const spread = range || 1; // grey has no hue: any will do
    const sixth = value === r ? (g - b) / spread : value === g ? 2 + (b - r) / spread : 4 + (r - g) / spread;
    const chroma = Math.min(range * saturate, value) * late;
    const hue = (sixth + shift) % 6;
    // Each channel falls from the value by a trapezoid of the hue's distance from the channel's own place.
    out[i] = value * late - chroma * ramp(hue + 5);
    out[i + 1] = value * late - chroma * ramp(hue + 3);
    out[i + 2] = value * late - chroma * ramp(hue + 1);
  }
}

/** 0 up to 0, rises to 1 until 1, stays 1 until 3, falls to 0 until 4; period 6. */
function ramp(h: number): number {
  const k = h >= 6 ? h - 6 : h;
  return Math.max(0, Math.min(k, 4 - k, 1));
}
