import { ClassNamesError } from './errors.ts';

/** Red, green and blue, each 0..255. */
export type Rgb = readonly [number, number, number];

/**
 * Mask value of each colour. A colour is written `'#rrggbb'`, `'r,g,b'` or, in a list of pairs, `[r, g, b]`.
 *
 * The values are those a grey mask would hold, so `classes`, `ignoreIndex` and `reduceZeroLabel` apply to them.
 */
export type ColorMap = Readonly<Record<string, number>> | Iterable<readonly [string | Rgb, number]>;

/**
 * A colour map as a table from 24-bit colour to mask value.
 *
 * @throws ClassNamesError if a colour or a value cannot be read, or a colour has two values.
 */
export function parseColorMap(map: ColorMap): Map<number, number> {
  const pairs: Iterable<readonly [string | Rgb, number]> =
    Symbol.iterator in map ? (map as Iterable<readonly [string | Rgb, number]>) : Object.entries(map);
  const table = new Map<number, number>();
  for (const [color, value] of pairs) {
    const key = colorKey(color);
    if (key === undefined || !Number.isInteger(value) || value < 0 || value > 65535) {
      throw new ClassNamesError({
        what: `the colour map has an unusable entry for ${String(color)}`,
        expected: `'#rrggbb', 'r,g,b' or [r, g, b] with a mask value from 0 to 65535`,
        received: `${JSON.stringify(color)}: ${String(value)}`,
      });
    }
    if (table.has(key) && table.get(key) !== value) {
      throw new ClassNamesError({ what: `the colour map gives ${hexColor(key)} two values` });
    }
    table.set(key, value);
  }
  return table;
}

/** A 24-bit colour as `#rrggbb`. */
export const hexColor = (key: number) => `#${key.toString(16).padStart(6, '0')}`;

function colorKey(color: string | Rgb): number | undefined {
  if (typeof color === 'string') {
    if (/^#[0-9a-f]{6}$/i.test(color)) return Number.parseInt(color.slice(1), 16);
    if (!/^\s*\d+(\s*,\s*\d+){2}\s*$/.test(color)) return undefined;
  }
  const parts = typeof color === 'string' ? color.split(',').map(Number) : [...color];
  if (parts.length !== 3 || parts.some((v) => !Number.isInteger(v) || v < 0 || v > 255)) return undefined;
  return (parts[0]! << 16) | (parts[1]! << 8) | parts[2]!;
}
