import {
  type AnchorOptions,
  type AnchorRegion,
  anchorsInside,
  type Grid,
  joined,
  pyramidAnchors,
} from '../anchors.ts';
import { type BoxCoding, encodeBoxes } from '../box-coding.ts';
import { takeBoxes } from '../boxes.ts';
import type { DetectionTargets, ImageSize } from '../detection.ts';
import { type MatchOptions, matchBoxes } from '../matching.ts';

/** The anchors of a batch, and which of them take part. */
export interface AnchorGrid extends AnchorRegion {
  /** For each level its anchors, of {@link pyramidAnchors}. */
  levels: readonly Float32Array[];
  /** Those of all levels. */
  all: Float32Array;
  grids: readonly Grid[];
  strides: readonly number[];
}

/** How the anchors of a dense head lie, and which of them take part. */
export interface AnchorGridOptions extends AnchorRegion, Omit<AnchorOptions, 'sizes'> {
  strides: readonly number[];
  anchorSizes: readonly (readonly number[])[];
}

/** The anchors of each level over maps of the given sizes. */
export function levelAnchors(
  grids: readonly Grid[],
  { strides, anchorSizes, ratios, definition }: AnchorGridOptions,
): Float32Array[] {
  return pyramidAnchors(grids, strides, { sizes: anchorSizes, ratios, definition });
}

/** {@link levelAnchors} with what assignment needs beside them. */
export function anchorGrid(grids: readonly Grid[], options: AnchorGridOptions): AnchorGrid {
  const { strides, skipPadding, border } = options;
  const levels = levelAnchors(grids, options);
  return { levels, all: joined(levels, Float32Array), grids, strides, skipPadding, border };
}

/** The object of each anchor of an image, levels joined: see {@link matchBoxes}. */
export function assignAnchors(
  grid: AnchorGrid,
  targets: DetectionTargets,
  size: ImageSize,
  match: MatchOptions & { crowdShare?: number },
): Int32Array {
  const region = grid.skipPadding || grid.border !== undefined;
  const valid = region ? anchorsInside(grid.levels, grid.grids, grid.strides, size, grid) : undefined;
  return matchBoxes(grid.all, targets, { ...match, valid });
}

/** Anchors of an image that belong to objects. */
interface Positives {
  anchors: ArrayLike<number>;
  /** The object of each anchor of the image. */
  matches: Int32Array;
  /** The class of each object. */
  labels: ArrayLike<number>;
  targets: DetectionTargets;
}

/** What every anchor of a batch should say: arrays of [images, anchors], those of boxes of [images, anchors, 4]. */
export class DenseTargets {
  /** The class of each anchor, or the number of classes for background. */
  readonly labels: Int32Array;
  /** How much each anchor counts in the loss of the classes. */
  readonly classWeights: Float32Array;
  /** The box of each anchor's object, and the deltas that lead to it. */
  readonly boxes: Float32Array;
  readonly deltas: Float32Array;
  /** How much each anchor counts in the loss of the boxes. */
  readonly boxWeights: Float32Array;
  private readonly perImage: number;

  constructor(
    private readonly images: number,
    private readonly grid: AnchorGrid,
    background: number,
  ) {
    this.perImage = grid.all.length / 4;
    const count = images * this.perImage;
    this.labels = new Int32Array(count).fill(background);
    this.classWeights = new Float32Array(count);
    this.boxes = new Float32Array(4 * count);
    this.deltas = new Float32Array(4 * count);
    this.boxWeights = new Float32Array(count);
  }

  /** Gives an image's anchors their objects; each counts by `weight`. */
  setPositives(image: number, positives: Positives, coding: BoxCoding, weight: number): void {
    const { anchors, matches, labels, targets } = positives;
    const objects = Array.from(anchors, (anchor) => matches[anchor]!);
    const boxes = takeBoxes(targets.boxes, objects);
    const deltas = encodeBoxes(takeBoxes(this.grid.all, anchors), boxes, coding);
    for (const [i, object] of objects.entries()) {
      const at = image * this.perImage + anchors[i]!;
      this.labels[at] = labels[object]!;
      this.classWeights[at] = weight;
      this.boxWeights[at] = weight;
      this.boxes.set(boxes.subarray(4 * i, 4 * i + 4), 4 * at);
      this.deltas.set(deltas.subarray(4 * i, 4 * i + 4), 4 * at);
    }
  }

  /** Lets an image's anchors count as background. */
  setNegatives(image: number, anchors: ArrayLike<number>, weight: number): void {
    for (let i = 0; i < anchors.length; i++) this.classWeights[image * this.perImage + anchors[i]!] = weight;
  }

  /** One of the arrays for one level: [images, the level's anchors, …]. */
  ofLevel<T extends Float32Array | Int32Array>(values: T, level: number): T {
    const perAnchor = values.length / (this.images * this.perImage);
    const lengths = this.grid.levels.map((anchors) => (anchors.length / 4) * perAnchor);
    const from = lengths.slice(0, level).reduce((sum, length) => sum + length, 0);
    const parts = Array.from({ length: this.images }, (_, image) => {
      const start = image * this.perImage * perAnchor + from;
      return values.subarray(start, start + lengths[level]!) as T;
    });
    return joined(parts, values.constructor as new (length: number) => T);
  }
}
