import { Overlaps } from './boxes.ts';
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
  const count = boxes.length / 4;
  const found = new Overlaps(count);
  const hidden = new Uint8Array(count);
  if (valid) for (let i = 0; i < count; i++) hidden[i] = valid[i] ? 0 : 1;
  for (const crowd of indicesOf(targets, 1)) {
    found.find(crowd, targets.boxes, boxes, 'iof');
    for (let k = 0; k < found.count; k++) if (found.values[k]! > crowdShare) hidden[found.boxes[k]!] = 1;
  }
  const matcher = new Matcher(hidden, options);
  for (const object of indicesOf(targets, 0))
    matcher.add(object, found.find(object, targets.boxes, boxes, 'iou'));
  return matcher.matches();
}

/**
 * {@link matchBoxes} by given overlaps.
 *
 * @param overlaps Shape [objects, boxes], row by row.
 */
export function matchOverlaps(overlaps: Float64Array, boxes: number, options: MatchOptions): Int32Array {
  const matcher = new Matcher(new Uint8Array(boxes), options);
  for (let object = 0; object * boxes < overlaps.length; object++) {
    const found = new Overlaps(boxes);
    for (let i = 0; i < boxes; i++) {
      const overlap = overlaps[object * boxes + i]!;
      if (overlap > 0) found.add(i, overlap);
    }
    matcher.add(object, found);
  }
  return matcher.matches();
}

/** The objects that are crowds (1) or not (0). */
function indicesOf({ boxes, crowd }: Pick<DetectionTargets, 'boxes' | 'crowd'>, kind: 0 | 1): number[] {
  return Array.from({ length: boxes.length / 4 }, (_, i) => i).filter((i) => (crowd?.[i] ? 1 : 0) === kind);
}

/** The boxes that an object overlaps most, and how much. */
interface Favourites {
  object: number;
  overlap: number;
  boxes: number[];
}

/** Takes the overlaps of one object after the other. */
class Matcher {
  private readonly best: Float64Array;
  private readonly own: Int32Array;
  private readonly favourites: Favourites[] = [];
  private readonly hidden: Uint8Array;
  private readonly options: MatchOptions;

  constructor(hidden: Uint8Array, options: MatchOptions) {
    this.hidden = hidden;
    this.options = options;
    this.best = new Float64Array(hidden.length);
    this.own = new Int32Array(hidden.length);
  }

  add(object: number, { count, boxes, values }: Overlaps): void {
    const favourites: Favourites = { object, overlap: 0, boxes: [] };
    for (let k = 0; k < count; k++) {
      const [i, overlap] = [boxes[k]!, values[k]!];
      if (overlap > this.best[i]!) {
        this.best[i] = overlap;
        this.own[i] = object; // the first of equal ones
      }
      if (overlap < favourites.overlap || this.hidden[i]) continue;
      if (overlap > favourites.overlap) favourites.boxes = [];
      favourites.overlap = overlap;
      favourites.boxes.push(i);
    }
    if (favourites.overlap === 0 && this.options.matchUntouched) favourites.boxes = [...this.hidden.keys()];
    this.favourites.push(favourites);
  }

  matches(): Int32Array {
    const { positive, negative, lowQuality = 'mmdet', lowQualityLimit = 0 } = this.options;
    const { best, own, hidden } = this;
    const matches = new Int32Array(best.length);
    for (let i = 0; i < matches.length; i++) {
      const overlap = best[i]!;
      if (overlap < negative) matches[i] = MATCH.background;
      else matches[i] = overlap >= positive ? own[i]! : MATCH.ignored;
    }
    for (const { object, overlap, boxes } of lowQuality ? this.favourites : []) {
      if (lowQuality === 'mmdet' && overlap < lowQualityLimit) continue;
      for (const i of boxes) matches[i] = lowQuality === 'mmdet' ? object : own[i]!;
    }
    for (let i = 0; i < matches.length; i++) if (hidden[i]) matches[i] = MATCH.ignored;
    return matches;
  }
}
