import type { Rgb } from './color-map.ts';

/**
 * Distinct colours for `count` classes. Hues turn by the golden angle, so that neighbours in number differ strongly, and
 * lightness alternates over three steps. The first colours are the same for every count.
 */
export function paletteColors(count: number): Rgb[] {
  return Array.from({ length: count }, (_, i) => {
    const hue = (i * 137.508 + 210) % 360;
    const lightness = [0.5, 0.68, 0.36][i % 3]!;
    return fromHsl(hue, 0.72, lightness);
  });
}

function fromHsl(hue: number, saturation: number, lightness: number): Rgb {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const channel = (n: number) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}
