import { overlapRow } from './boxes.ts';
import type { DetectionTargets } from './detection.ts';

/** What a box is matched with if with no object: background, or nothing at all, for it has no part in the loss. */
export const MATCH = { background: -1, ignored: -2 } as const;

/** Options of {@link matchBoxes}. */
export interface MatchOptions {
  /** The IoU from which on a box belongs to the object that it overlaps most. */
  positive: number;
  /** The IoU below which it is background; between both it is ignored. */
  negative: number;
  /**
   * Whether the boxes that an object overlaps most belong to an object as well, however little that is. `'mmdet'`
   * (default): to this object, the later of two; from `lowQualityLimit` on. `'torchvision'`: each of them to the one that it
   * overlaps most itself.
   */
  lowQuality?: 'mmdet' | 'torchvision' | false;
  /** The least IoU of an object's best boxes with it for `lowQuality: 'mmdet'`; 0 by default. */
  lowQualityLimit?: number;
  /**
   * What an object does that overlaps no box at all, by `lowQuality`. False (default): nothing. True: its best overlap is
   * taken to be 0, as both references do; in torchvision each box that does not touch it then belongs to some object, in
   * mmdetection with a `lowQualityLimit` of 0 every box belongs to it.
   */
  matchUntouched?: boolean;
}

/** Which boxes of {@link matchBoxes} may be matched, and when a crowd hides one. */
export interface BoxMatchOptions extends MatchOptions {
  /** 1 for the boxes that take part; the others are ignored. */
  valid?: Uint8Array;
  /** A box is ignored if a crowd covers more than this share of it; 0.5 by default. */
  crowdShare?: number;
}

/**
 * The object that each box is matched with, by IoU.
 *
 * Sources: mmdetection's `MaxIoUAssigner`, torchvision's `Matcher`.
 *
 * @param boxes Anchors or proposals, `x1 y1 x2 y2`, four numbers each.
 * @param targets Crowds are matched with nothing; they hide the boxes that they cover.
 * @returns For each box the index of an object within the targets, −1 for background, −2 where it is ignored.
 *
 * @example
 * ```ts
 * import { matchBoxes } from '@e3va/det-heads';
 *
 * const targets = { boxes: Float32Array.of(0, 0, 10, 10), labels: Int32Array.of(0) };
 * const boxes = Float32Array.of(0, 0, 10, 9, 0, 0, 10, 4.5, 20, 20, 30, 30);
 * console.log(matchBoxes(boxes, targets, { positive: 0.5, negative: 0.4, lowQuality: false })); // 0, −2, −1
 * ```
 */
export function matchBoxes(
  boxes: Float32Array,
  targets: Pick<DetectionTargets, 'boxes' | 'crowd'>,
  options: BoxMatchOptions,
): Int32Array {
  const { valid, crowdShare = 0.5 } = options;
  const row = new Float64Array(boxes.length / 4); // one for all: as long as there are boxes
  const hidden = new Uint8Array(row.length);
  if (valid) for (let i = 0; i < row.length; i++) hidden[i] = valid[i] ? 0 : 1;
  const crowds = indicesOf(targets, 1);
  for (const crowd of crowds) {
    overlapRow(row, crowd, targets.boxes, boxes, 'iof');
    for (let i = 0; i < row.length; i++) if (row[i]! > crowdShare) hidden[i] = 1;
  }
  const matcher = new Matcher(row.length, options);
  for (const object of indicesOf(targets, 0)) {
    overlapRow(row, object, targets.boxes, boxes, 'iou');
    matcher.add(object, row, hidden);
  }
  return matcher.matches(hidden);
}

/**
 * {@link matchBoxes} by given overlaps.
 *
 * @param overlaps Shape [objects, boxes], row by row.
 */
export function matchOverlaps(overlaps: Float64Array, boxes: number, options: MatchOptions): Int32Array {
  const hidden = new Uint8Array(boxes);
  const matcher = new Matcher(boxes, options);
  for (let object = 0; object * boxes < overlaps.length; object++) {
    matcher.add(object, overlaps.subarray(object * boxes, (object + 1) * boxes), hidden);
  }
  return matcher.matches(hidden);
}

/** The objects that are crowds (1) or not (0). */
function indicesOf({ boxes, crowd }: Pick<DetectionTargets, 'boxes' | 'crowd'>, kind: 0 | 1): number[] {
  return Array.from({ length: boxes.length / 4 }, (_, i) => i).filter((i) => (crowd?.[i] ? 1 : 0) === kind);
}

/** Takes the overlaps of one object after the other. */
class Matcher {
  private readonly best: Float64Array;
  private readonly own: Int32Array;
  /** The boxes that each object overlaps most, by its index. */
  private readonly favourites: { object: number; overlap: number; boxes: number[] }[] = [];
  private readonly options: MatchOptions;

  constructor(boxes: number, options: MatchOptions) {
    this.options = options;
    this.best = new Float64Array(boxes);
    this.own = new Int32Array(boxes).fill(-1);
  }

  add(object: number, row: Float64Array, hidden: Uint8Array): void {
    const { best, own } = this;
    const { lowQuality = 'mmdet', matchUntouched = false } = this.options;
    let most = matchUntouched ? 0 : Number.MIN_VALUE;
    let boxes: number[] = [];
    for (let i = 0; i < row.length; i++) {
      const overlap = row[i]!;
      if (overlap > best[i]! || own[i]! < 0) {
        best[i] = overlap;
        own[i] = object; // the first of equal ones
      }
      if (overlap < most || hidden[i]) continue;
      if (overlap > most) boxes = [];
      most = overlap;
      boxes.push(i);
    }
    if (lowQuality) this.favourites.push({ object, overlap: most, boxes });
  }

  matches(hidden: Uint8Array): Int32Array {
    const { positive, negative, lowQuality = 'mmdet', lowQualityLimit = 0 } = this.options;
    const { best, own } = this;
    const matches = new Int32Array(best.length);
    for (let i = 0; i < matches.length; i++) {
      const overlap = best[i]!;
      if (overlap < negative) matches[i] = MATCH.background;
      else matches[i] = overlap >= positive ? own[i]! : MATCH.ignored;
    }
    for (const { object, overlap, boxes } of this.favourites) {
      if (lowQuality === 'mmdet' && overlap < lowQualityLimit) continue;
      for (const i of boxes) matches[i] = lowQuality === 'mmdet' ? object : own[i]!;
    }
    for (let i = 0; i < matches.length; i++) if (hidden[i]) matches[i] = MATCH.ignored;
    return matches;
  }
}
