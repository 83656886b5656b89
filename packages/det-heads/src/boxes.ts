import type { ImageSize } from './detection.ts';

/**
 * The area of each box.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 */
export function boxAreas(boxes: Float32Array): Float64Array {
  return Float64Array.from({ length: boxes.length / 4 }, (_, i) => {
    return (boxes[4 * i + 2]! - boxes[4 * i]!) * (boxes[4 * i + 3]! - boxes[4 * i + 1]!);
  });
}

/** What {@link boxOverlaps} divides the intersection by: the union, or the area of the box of `b`. */
export type OverlapKind = 'iou' | 'iof';

/** The boxes of many that one box overlaps, and by how much: the first `count` entries of buffers that are used again. */
export class Overlaps {
  count = 0;
  readonly boxes: Int32Array;
  readonly values: Float64Array;

  constructor(boxes: number) {
    this.boxes = new Int32Array(boxes);
    this.values = new Float64Array(boxes);
  }

  add(box: number, value: number): void {
    this.boxes[this.count] = box;
    this.values[this.count] = value;
    this.count++;
  }

  /**
   * Finds the boxes that share an area with one box.
   *
   * @param one Index of the box within `among`, `x1 y1 x2 y2`, four numbers a box.
   * @param boxes Boxes of the same form.
   */
  find(one: number, among: Float32Array, boxes: Float32Array, kind: OverlapKind): this {
    const [x1, y1, x2, y2] = [among[4 * one]!, among[4 * one + 1]!, among[4 * one + 2]!, among[4 * one + 3]!];
    const area = (x2 - x1) * (y2 - y1);
    this.count = 0;
    for (let at = 0; at < boxes.length; at += 4) {
      const left = boxes[at]!;
      if (left >= x2) continue;
      const right = boxes[at + 2]!;
      if (right <= x1) continue;
      const top = boxes[at + 1]!;
      const bottom = boxes[at + 3]!;
      const width = Math.min(right, x2) - Math.max(left, x1);
      const height = Math.min(bottom, y2) - Math.max(top, y1);
      if (!(width > 0 && height > 0)) continue;
      const shared = width * height;
      const own = (right - left) * (bottom - top);
      this.add(at / 4, shared / (kind === 'iou' ? area + own - shared : own));
    }
    return this;
  }
}

/**
 * The overlap of every pair of boxes.
 *
 * @param a Boxes `x1 y1 x2 y2`, four numbers each.
 * @param b Boxes of the same form.
 * @param kind `'iou'` (default): intersection over union. `'iof'`: intersection over the area of the box of `b`, the
 *   overlap with a crowd `a` by which COCO ignores detections.
 * @returns Shape [a, b], row by row; 0 for boxes without an area.
 *
 * @example
 * ```ts
 * import { boxOverlaps } from '@e3va/det-heads';
 *
 * console.log(boxOverlaps(Float32Array.of(0, 0, 10, 10), Float32Array.of(0, 0, 10, 5))); // 0.5
 * ```
 */
export function boxOverlaps(a: Float32Array, b: Float32Array, kind: OverlapKind = 'iou'): Float64Array {
  const [rows, columns] = [a.length / 4, b.length / 4];
  const overlaps = new Float64Array(rows * columns);
  const found = new Overlaps(columns);
  for (let i = 0; i < rows; i++) {
    found.find(i, a, b, kind);
    for (let k = 0; k < found.count; k++) overlaps[i * columns + found.boxes[k]!] = found.values[k]!;
  }
  return overlaps;
}

/**
 * The generalised intersection over union of every pair of boxes: IoU less the share of their hull that neither covers.
 *
 * Source: Rezatofighi et al., arXiv 1902.09630, algorithm 1.
 *
 * @param a Boxes `x1 y1 x2 y2`, four numbers each.
 * @param b Boxes of the same form.
 * @returns Shape [a, b], row by row, from −1 to 1.
 */
export function generalisedIou(a: Float32Array, b: Float32Array): Float64Array {
  const [rows, columns] = [a.length / 4, b.length / 4];
  const [areas, others] = [boxAreas(a), boxAreas(b)];
  const result = boxOverlaps(a, b);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const iou = result[i * columns + j]!;
      const union = (areas[i]! + others[j]!) / (1 + iou); // as intersection = iou · union
      const width = Math.max(a[4 * i + 2]!, b[4 * j + 2]!) - Math.min(a[4 * i]!, b[4 * j]!);
      const height = Math.max(a[4 * i + 3]!, b[4 * j + 3]!) - Math.min(a[4 * i + 1]!, b[4 * j + 1]!);
      const hull = width * height;
      if (hull > 0) result[i * columns + j] = iou - (hull - union) / hull;
    }
  }
  return result;
}

/**
 * The boxes cut at the borders of an image.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 */
export function clipBoxes(boxes: Float32Array, { height, width }: ImageSize): Float32Array {
  return boxes.map((v, i) => Math.min(i % 2 === 0 ? width : height, Math.max(0, v)));
}

/**
 * The boxes that are at least `minSize` wide and high.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 * @param minSize In pixels.
 * @returns Their indices.
 */
export function largeBoxes(boxes: Float32Array, minSize: number): Int32Array {
  const kept: number[] = [];
  for (let i = 0; i < boxes.length / 4; i++) {
    const [x1, y1, x2, y2] = boxes.subarray(4 * i, 4 * i + 4);
    if (x2! - x1! >= minSize && y2! - y1! >= minSize) kept.push(i);
  }
  return Int32Array.from(kept);
}

/** The boxes of the given indices, in their order; four numbers each. */
export function takeBoxes(boxes: Float32Array, indices: ArrayLike<number>): Float32Array {
  const taken = new Float32Array(4 * indices.length);
  for (let i = 0; i < indices.length; i++) {
    taken.set(boxes.subarray(4 * indices[i]!, 4 * indices[i]! + 4), 4 * i);
  }
  return taken;
}

/**
 * How the four numbers of a box are meant: corners `x1 y1 x2 y2`; top left corner, width and height `x y w h`; or centre,
 * width and height.
 */
export type BoxFormat = 'xyxy' | 'xywh' | 'cxcywh';

/**
 * Boxes in another format.
 *
 * @param boxes Four numbers each.
 *
 * @example
 * ```ts
 * import { convertBoxes } from '@e3va/det-heads';
 *
 * console.log(convertBoxes(Float32Array.of(10, 20, 30, 60), 'xyxy', 'xywh')); // 10, 20, 20, 40
 * ```
 */
export function convertBoxes(boxes: Float32Array, from: BoxFormat, to: BoxFormat): Float32Array {
  const converted = new Float32Array(boxes.length);
  for (let at = 0; at < boxes.length; at += 4) {
    const [a, b, c, d] = boxes.subarray(at, at + 4) as unknown as [number, number, number, number];
    const [w, h] = from === 'xyxy' ? [c - a, d - b] : [c, d];
    const [x, y] = from === 'cxcywh' ? [a - w / 2, b - h / 2] : [a, b];
    if (to === 'xyxy') converted.set([x, y, x + w, y + h], at);
    else if (to === 'xywh') converted.set([x, y, w, h], at);
    else converted.set([x + w / 2, y + h / 2, w, h], at);
  }
  return converted;
}
