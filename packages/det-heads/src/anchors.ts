import type { ImageSize } from './detection.ts';

/** The anchors of each cell of a pyramid's levels. */
export interface AnchorOptions {
  /** For each level the sides in pixels of its square anchors; the others have their area. */
  sizes: readonly (readonly number[])[];
  /** Heights over widths; 0.5, 1 and 2 by default. */
  ratios?: readonly number[];
  /**
   * `'mmdet'` (default): the anchors of cell (row, column) have their centre at (column, row) · stride, and stay as they are
   * computed. `'torchvision'`: their edges, relative to that point, are rounded to whole pixels, and a level's stride is the
   * input's size over that of its map, rounded down, whatever it was declared to be. In neither is the centre in the middle
   * of the cell.
   */
  definition?: 'mmdet' | 'torchvision';
}

/** Height and width of a level's map, in cells. */
export type Grid = readonly [height: number, width: number];

/**
 * RetinaNet's sides of a level: `count` of them, from `scale` times its stride on by equal factors up to the double.
 *
 * @param definition `'torchvision'` rounds them down.
 */
export function octaveSizes(
  stride: number,
  { scale = 4, count = 3, definition = 'mmdet' as 'mmdet' | 'torchvision' } = {},
): number[] {
  const sizes = Array.from({ length: count }, (_, i) => scale * stride * 2 ** (i / count));
  return definition === 'mmdet' ? sizes : sizes.map(Math.floor);
}

/**
 * The anchors of every cell, by level; within it by row, column, ratio and size.
 *
 * Sources: mmdetection's and torchvision's `AnchorGenerator`.
 *
 * @param grids The levels' maps, finest first.
 * @param strides Pixels a cell of each level. The finest level's times its map is the size of the input.
 * @returns For each level its boxes `x1 y1 x2 y2`, four numbers each; some reach out of the image.
 *
 * @example
 * ```ts
 * import { octaveSizes, pyramidAnchors } from '@e3va/det-heads';
 *
 * const anchors = pyramidAnchors([[16, 20], [8, 10]], [8, 16], { sizes: [octaveSizes(8), octaveSizes(16)] });
 * console.log(anchors.map((level) => level.length / 4)); // 9 a cell: 2880, 720
 * ```
 */
export function pyramidAnchors(
  grids: readonly Grid[],
  strides: readonly number[],
  { sizes, ratios = [0.5, 1, 2], definition = 'mmdet' }: AnchorOptions,
): Float32Array[] {
  const input = grids[0]!.map((cells) => cells * strides[0]!);
  return grids.map((grid, level) => {
    const cell = cellAnchors(sizes[level]!, ratios, definition === 'torchvision');
    const declared = [strides[level]!, strides[level]!];
    const steps =
      definition === 'mmdet' ? declared : grid.map((cells, axis) => Math.floor(input[axis]! / cells));
    return spread(cell, grid, steps as [number, number]);
  });
}

/** The anchors around a point, by ratio and size. */
function cellAnchors(sizes: readonly number[], ratios: readonly number[], rounded: boolean): Float32Array {
  const anchors = ratios.flatMap((ratio) =>
    sizes.flatMap((size) => {
      const [x, y] = [size / Math.sqrt(ratio) / 2, (size * Math.sqrt(ratio)) / 2];
      return rounded ? [-x, -y, x, y].map(roundHalfEven) : [-x, -y, x, y];
    }),
  );
  return Float32Array.from(anchors);
}

/** To the nearest integer, from the middle to the even one, as PyTorch does. */
function roundHalfEven(v: number): number {
  const low = Math.floor(v);
  if (v - low !== 0.5) return Math.round(v);
  return low % 2 === 0 ? low : low + 1;
}

/** The anchors of a cell, moved to all cells of a map. */
function spread(cell: Float32Array, [height, width]: Grid, [down, right]: [number, number]): Float32Array {
  const anchors = new Float32Array(height * width * cell.length);
  let at = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let i = 0; i < cell.length; i++, at++) {
        anchors[at] = cell[i]! + (i % 2 === 0 ? column * right : row * down);
      }
    }
  }
  return anchors;
}

/** Which anchors take part where an image ends before its padding does. */
export interface AnchorRegion {
  /** Whether the cells that lie in the padding have no part; false by default. */
  skipPadding?: boolean;
  /** By how many pixels an anchor may reach out of the image; any number by default. */
  border?: number;
}

/**
 * 1 for the anchors that take part in an image, of all levels together.
 *
 * Source: mmdetection's `valid_flags` and `anchor_inside_flags`.
 *
 * @param anchors Of {@link pyramidAnchors}.
 * @param grids The levels' maps.
 * @param strides Pixels a cell of each level.
 * @param size Of the image inside its padding.
 */
export function anchorsInside(
  anchors: readonly Float32Array[],
  grids: readonly Grid[],
  strides: readonly number[],
  { height, width }: ImageSize,
  { skipPadding = false, border = Infinity }: AnchorRegion,
): Uint8Array {
  const flags = anchors.map((level, l) => {
    const [rows, columns] = grids[l]!;
    const perCell = level.length / 4 / (rows * columns);
    return Uint8Array.from({ length: level.length / 4 }, (_, i) => {
      const cell = Math.floor(i / perCell);
      const [y, x] = [Math.floor(cell / columns) * strides[l]!, (cell % columns) * strides[l]!];
      if (skipPadding && (y >= height || x >= width)) return 0;
      const [x1, y1, x2, y2] = [level[4 * i]!, level[4 * i + 1]!, level[4 * i + 2]!, level[4 * i + 3]!];
      return x1 >= -border && y1 >= -border && x2 < width + border && y2 < height + border ? 1 : 0;
    });
  });
  return joined(flags, Uint8Array);
}

/** Arrays one after the other. */
export function joined<T extends Float32Array | Uint8Array | Int32Array>(
  parts: readonly T[],
  type: new (length: number) => T,
): T {
  const all = new type(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
