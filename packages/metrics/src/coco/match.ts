import { groupBy, membersOf } from './groups.ts';
import type { FoundObjects, TrueObjects } from './objects.ts';
import { cocoAreas } from './options.ts';
import type { Overlaps } from './overlaps.ts';

/** What a detection counts as: false, true, or not at all. */
export const verdicts = { wrong: 0, right: 1, ignored: 2 } as const;

/** The detections of one class, matched with its true objects. */
export interface ClassMatches {
  /** The detections that count, surest first. */
  detections: Int32Array;
  /** How many surer ones of the class each has in its image. */
  ranks: Int32Array;
  /** One of `verdicts`: `[area range, IoU threshold, detection]`. */
  verdicts: Uint8Array;
  /** The number of true objects to be found in each area range. */
  truths: number[];
}

/** What matching reads beside the objects of the class. */
export interface MatchContext {
  found: FoundObjects;
  truths: TrueObjects;
  overlaps: Overlaps;
  images: number;
  iouThresholds: readonly number[];
  /** The most detections of a class in an image. */
  limit: number;
}

const ranges = Object.values(cocoAreas);

/**
 * Matches the detections of one class with its true objects, image by image, for each range of areas and each threshold.
 *
 * @param detections Surest first.
 * @param truths In the order in which they are tried.
 */
export function matchClass(detections: Int32Array, truths: Int32Array, context: MatchContext): ClassMatches {
  const { found, images, iouThresholds } = context;
  const best = keepBest(detections, context);
  const count = best.detections.length;
  const out = new Uint8Array(ranges.length * iouThresholds.length * count);
  ranges.forEach((range, a) => {
    for (let p = 0; p < count; p++) {
      if (isInside(found.area[best.detections[p]!]!, range)) continue;
      for (let t = 0; t < iouThresholds.length; t++) {
        out[(a * iouThresholds.length + t) * count + p] = verdicts.ignored;
      }
    }
  });
  const places = Int32Array.from({ length: count }, (_, p) => p);
  const placesByImage = groupBy(places, images, (p) => found.image[best.detections[p]!]!);
  const truthsByImage = groupBy(truths, images, (j) => context.truths.image[j]!);
  for (let image = 0; image < images; image++) {
    const [ps, ts] = [membersOf(placesByImage, image), membersOf(truthsByImage, image)];
    if (ps.length > 0 && ts.length > 0) matchImage(ps, ts, best.detections, out, context);
  }
  return { ...best, verdicts: out, truths: countTruths(truths, context.truths) };
}

const isInside = (area: number, [low, high]: readonly [number, number]) => area >= low && area <= high;

/** The surest detections of each image, `limit` at most, still in order. */
function keepBest(detections: Int32Array, { found, images, limit }: MatchContext) {
  const seen = new Int32Array(images);
  const ranks = detections.map((d) => seen[found.image[d]!]!++);
  const kept = (_: number, i: number) => ranks[i]! < limit;
  return { detections: detections.filter(kept), ranks: ranks.filter(kept) };
}

function countTruths(truths: Int32Array, { area, crowd }: TrueObjects): number[] {
  return ranges.map((range) => truths.filter((j) => !crowd[j] && isInside(area[j]!, range)).length);
}

/** Matches within one image; `places` are those of its detections in `detections`, surest first. */
function matchImage(
  places: Int32Array,
  truths: Int32Array,
  detections: Int32Array,
  out: Uint8Array,
  { truths: { area, crowd, idZero }, overlaps, iouThresholds }: MatchContext,
): void {
  const count = truths.length;
  const iou = overlaps(
    places.map((p) => detections[p]!),
    truths,
  );
  const highest = rowMaxima(iou, places.length, count);
  ranges.forEach((range, a) => {
    const ignored = Uint8Array.from(truths, (j) => (crowd[j] || !isInside(area[j]!, range) ? 1 : 0));
    const order = ignoredLast(ignored);
    iouThresholds.forEach((threshold, t) => {
      const row = (a * iouThresholds.length + t) * detections.length;
      const least = Math.min(threshold, 1 - 1e-10);
      const taken = new Uint8Array(count);
      for (let d = 0; d < places.length; d++) {
        if (highest[d]! < least) continue;
        const match = bestTruth(iou, d * count, least, order, ignored, taken);
        if (match < 0) continue;
        taken[match] = crowd[truths[match]!] ? 0 : 1;
        if (ignored[match]) out[row + places[d]!] = verdicts.ignored;
        else if (!idZero[truths[match]!]) out[row + places[d]!] = verdicts.right;
      }
    });
  });
}

function rowMaxima(values: Float64Array, rows: number, columns: number): Float64Array {
  const maxima = new Float64Array(rows);
  for (let at = 0, row = 0; row < rows; row++) {
    for (let end = at + columns; at < end; at++) if (values[at]! > maxima[row]!) maxima[row] = values[at]!;
  }
  return maxima;
}

function ignoredLast(ignored: Uint8Array): number[] {
  const all = [...ignored.keys()];
  return [...all.filter((g) => !ignored[g]), ...all.filter((g) => ignored[g])];
}

/**
 * The free true object that a detection overlaps most, -1 if none reaches `least`: one to be ignored only where no other
 * does, of equal overlaps the later in `order`.
 */
function bestTruth(
  iou: Float64Array,
  row: number,
  least: number,
  order: readonly number[],
  ignored: Uint8Array,
  taken: Uint8Array,
): number {
  let best = -1;
  let most = least;
  for (const g of order) {
    if (taken[g]) continue;
    if (best >= 0 && !ignored[best] && ignored[g]) break;
    if (iou[row + g]! < most) continue;
    most = iou[row + g]!;
    best = g;
  }
  return best;
}
