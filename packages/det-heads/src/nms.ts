import { boxAreas } from './boxes.ts';

/**
 * The indices of the scores by falling score; of equal scores the first comes first.
 *
 * @param indices Those to sort; all by default.
 */
function byScore(scores: ArrayLike<number>, indices?: ArrayLike<number>): Int32Array {
  const order = indices ? Int32Array.from(indices) : Int32Array.from({ length: scores.length }, (_, i) => i);
  return order.sort((a, b) => scores[b]! - scores[a]! || a - b);
}

/**
 * The indices of the `count` highest scores above `above`, by falling score; of equal scores the first comes first.
 *
 * @param scores As many as there are anchors, or anchors times classes: only those that are returned get sorted.
 */
export function topScores(scores: Float32Array, count: number, above = -Infinity): Int32Array {
  if (count <= 0) return new Int32Array(0);
  const least = nthHighest(scores, count, above);
  const chosen: number[] = [];
  const equal: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (score > least) chosen.push(i);
    else if (score === least && score > above) equal.push(i);
  }
  return byScore(scores, [...chosen, ...equal.slice(0, Math.max(0, count - chosen.length))]);
}

/** The `count`-th highest of the scores above `above`, or `above` where there are no more than that. */
function nthHighest(scores: Float32Array, count: number, above: number): number {
  if (scores.length <= count) return above;
  const heap = new Float32Array(count).fill(-Infinity); // the highest so far, each at least as high as its parent
  let seen = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (!(score > above)) continue;
    seen++;
    if (!(score > heap[0]!)) continue;
    let place = 0;
    for (let child = 1; child < count; child = 2 * place + 1) {
      if (child + 1 < count && heap[child + 1]! < heap[child]!) child++;
      if (!(heap[child]! < score)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = score;
  }
  return seen > count ? heap[0]! : above;
}

/**
 * Non-maximum suppression: by falling score, a box is kept unless it overlaps one kept before by more than the threshold.
 *
 * Exact, and of equal scores the first is kept. Boxes are compared only if one's left edge is so near the other's that
 * their overlap can exceed the threshold.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 * @param scores One a box.
 * @param threshold The IoU up to which both stay.
 * @returns The indices of the boxes that stay, by falling score.
 *
 * @example
 * ```ts
 * import { nms } from '@e3va/det-heads';
 *
 * const boxes = Float32Array.of(0, 0, 10, 10, 0, 0, 10, 9, 50, 0, 60, 10);
 * console.log(nms(boxes, Float32Array.of(0.8, 0.9, 0.7), 0.5)); // 1, 2
 * ```
 */
export function nms(boxes: Float32Array, scores: Float32Array, threshold: number): Int32Array {
  return suppress(boxes, byScore(scores), threshold);
}

/**
 * {@link nms} within each group alone: the classes of detections, or the levels of proposals.
 *
 * Equal to torchvision's and mmcv's `batched_nms`, without the rounding that their shifted boxes have.
 *
 * @param groups The group of each box.
 */
export function batchedNms(
  boxes: Float32Array,
  scores: Float32Array,
  groups: ArrayLike<number>,
  threshold: number,
): Int32Array {
  const members = new Map<number, number[]>();
  for (const i of byScore(scores)) {
    const group = members.get(groups[i]!);
    if (group) group.push(i);
    else members.set(groups[i]!, [i]);
  }
  const kept = [...members.values()].flatMap((order) => [
    ...suppress(boxes, Int32Array.from(order), threshold),
  ]);
  return byScore(scores, kept);
}

/** The boxes of `order`, best first, that no better one suppresses, in this order. */
function suppress(boxes: Float32Array, order: Int32Array, threshold: number): Int32Array {
  const sorted = new LeftToRight(boxes, order);
  const { left, right, top, bottom, area, rankOf, placeOf } = sorted;
  const gone = new Uint8Array(order.length); // by place
  const kept: number[] = [];
  for (let rank = 0; rank < order.length; rank++) {
    const place = placeOf[rank]!;
    if (gone[place]) continue;
    kept.push(order[rank]!);
    const [x1, y1, x2, y2, own] = [left[place]!, top[place]!, right[place]!, bottom[place]!, area[place]!];
    // an IoU above t needs intervals whose IoU is above t: their left ends are less than (1 − t) / t widths apart
    const reach = threshold > 0 ? ((1 - threshold) / threshold) * (x2 - x1) : Number.POSITIVE_INFINITY;
    for (let i = sorted.firstFrom(x1 - reach); i < order.length && left[i]! <= x1 + reach; i++) {
      if (gone[i] || rankOf[i]! <= rank || top[i]! >= y2 || bottom[i]! <= y1) continue;
      const width = Math.min(right[i]!, x2) - Math.max(left[i]!, x1);
      if (!(width > 0)) continue;
      const shared = width * (Math.min(bottom[i]!, y2) - Math.max(top[i]!, y1));
      if (shared / (own + area[i]! - shared) > threshold) gone[i] = 1;
    }
  }
  return Int32Array.from(kept);
}

/** Boxes by their left edges: the column of each place, and the places of the boxes by their rank in `order`. */
class LeftToRight {
  readonly left: Float32Array;
  readonly top: Float32Array;
  readonly right: Float32Array;
  readonly bottom: Float32Array;
  readonly area: Float64Array;
  /** The rank of the box at a place. */
  readonly rankOf: Int32Array;
  /** The place of the box of a rank. */
  readonly placeOf: Int32Array;

  constructor(boxes: Float32Array, order: Int32Array) {
    const count = order.length;
    const lefts = Float32Array.from(order, (box) => boxes[4 * box]!);
    this.rankOf = Int32Array.from({ length: count }, (_, rank) => rank).sort((a, b) => lefts[a]! - lefts[b]!);
    this.placeOf = new Int32Array(count);
    this.rankOf.forEach((rank, place) => {
      this.placeOf[rank] = place;
    });
    const column = (of: number) => Float32Array.from(this.rankOf, (rank) => boxes[4 * order[rank]! + of]!);
    [this.left, this.top, this.right, this.bottom] = [column(0), column(1), column(2), column(3)];
    this.area = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      this.area[i] = (this.right[i]! - this.left[i]!) * (this.bottom[i]! - this.top[i]!);
    }
  }

  /** The first place whose left edge is not left of `x`. */
  firstFrom(x: number): number {
    let [low, high] = [0, this.left.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.left[middle]! < x) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Options of {@link softNms}. */
export interface SoftNmsOptions {
  /** `'gaussian'` (default): a score falls by e^(−IoU² / sigma). `'linear'`: by 1 − IoU, where IoU exceeds `threshold`. */
  method?: 'gaussian' | 'linear';
  /** Of the Gaussian; 0.5 by default. */
  sigma?: number;
  /** Of the linear method; 0.3 by default. */
  threshold?: number;
  /** A box whose score falls to this or below is dropped; 0.001 by default. */
  minScore?: number;
  /** Boxes to keep at most; all by default. */
  max?: number;
}

/**
 * Soft non-maximum suppression: boxes that overlap a better one are not dropped, their scores fall.
 *
 * Source: Bodla et al., arXiv 1704.04503.
 *
 * @param boxes Boxes `x1 y1 x2 y2`, four numbers each.
 * @param scores One a box.
 * @param groups Where given, boxes of different groups leave each other alone.
 * @returns The indices of the boxes that stay, by falling lowered score, and these scores.
 */
export function softNms(
  boxes: Float32Array,
  scores: Float32Array,
  { method = 'gaussian', sigma = 0.5, threshold = 0.3, minScore = 1e-3, max = Infinity }: SoftNmsOptions = {},
  groups?: ArrayLike<number>,
): { kept: Int32Array; scores: Float32Array } {
  const areas = boxAreas(boxes);
  const lowered = Float64Array.from(scores);
  const open = Array.from(scores.keys()).filter((i) => lowered[i]! > minScore);
  const kept: number[] = [];
  while (open.length > 0 && kept.length < max) {
    let best = 0;
    for (let k = 1; k < open.length; k++) {
      const [i, j] = [open[k]!, open[best]!];
      if (lowered[i]! > lowered[j]! || (lowered[i] === lowered[j] && i < j)) best = k;
    }
    const own = open[best]!;
    kept.push(own);
    open[best] = open.at(-1)!;
    open.pop();
    for (let k = open.length - 1; k >= 0; k--) {
      const other = open[k]!;
      if (groups && groups[own] !== groups[other]) continue;
      const iou = pairIou(boxes, areas, own, other);
      if (iou === 0) continue;
      if (method === 'gaussian') lowered[other]! *= Math.exp(-(iou * iou) / sigma);
      else if (iou > threshold) lowered[other]! *= 1 - iou;
      if (lowered[other]! > minScore) continue;
      open[k] = open.at(-1)!;
      open.pop();
    }
  }
  return { kept: Int32Array.from(kept), scores: Float32Array.from(kept, (i) => lowered[i]!) };
}

function pairIou(boxes: Float32Array, areas: Float64Array, i: number, j: number): number {
  const [a, b] = [4 * i, 4 * j];
  const width = Math.min(boxes[a + 2]!, boxes[b + 2]!) - Math.max(boxes[a]!, boxes[b]!);
  if (!(width > 0)) return 0;
  const height = Math.min(boxes[a + 3]!, boxes[b + 3]!) - Math.max(boxes[a + 1]!, boxes[b + 1]!);
  if (!(height > 0)) return 0;
  return (width * height) / (areas[i]! + areas[j]! - width * height);
}
