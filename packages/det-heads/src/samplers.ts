import type { DetectionTargets } from './detection.ts';
import { MATCH } from './matching.ts';

/** Options of {@link sampleMatches}. */
export interface SampleOptions {
  /** Boxes in all. */
  size: number;
  /** The largest share of them that belongs to objects. */
  positiveShare: number;
  /** Numbers of at least 0 and below 1; `Math.random` by default. `() => 0` takes the first in the order of the indices. */
  rng?: () => number;
}

/** What {@link sampleMatches} chose: indices of boxes, rising. */
export interface Samples {
  positives: Int32Array;
  negatives: Int32Array;
}

/**
 * A random choice of boxes: of those that belong to an object no more than a share, and background for the rest.
 *
 * Equal to mmdetection's `RandomSampler` and torchvision's `BalancedPositiveNegativeSampler`.
 *
 * @param matches Of {@link matchBoxes}.
 */
export function sampleMatches(
  matches: Int32Array,
  { size, positiveShare, rng = Math.random }: SampleOptions,
): Samples {
  const all = { positives: [] as number[], negatives: [] as number[] };
  for (let i = 0; i < matches.length; i++) {
    if (matches[i]! >= 0) all.positives.push(i);
    else if (matches[i] === MATCH.background) all.negatives.push(i);
  }
  const positives = choose(all.positives, Math.floor(size * positiveShare), rng);
  return { positives, negatives: choose(all.negatives, size - positives.length, rng) };
}

/** At most `count` of the candidates, in their order. */
function choose(candidates: number[], count: number, rng: () => number): Int32Array {
  if (candidates.length <= count) return Int32Array.from(candidates);
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(rng() * (candidates.length - i));
    [candidates[i], candidates[other]] = [candidates[other]!, candidates[i]!];
  }
  return Int32Array.from(candidates.slice(0, count)).sort();
}

/**
 * Proposals with the objects' own boxes among them, so that a box head sees positives from the first step on. Crowds stay
 * out.
 *
 * @param boxes Proposals, `x1 y1 x2 y2`, four numbers each.
 * @param place `'first'` (default): before the proposals, as in mmdetection. `'last'`: after them, as in torchvision.
 */
export function addObjects(
  boxes: Float32Array,
  { boxes: objects, crowd }: Pick<DetectionTargets, 'boxes' | 'crowd'>,
  place: 'first' | 'last' = 'first',
): Float32Array {
  const own = crowd ? objects.filter((_, i) => !crowd[Math.floor(i / 4)]) : objects;
  const all = new Float32Array(own.length + boxes.length);
  all.set(own, place === 'first' ? 0 : boxes.length);
  all.set(boxes, place === 'first' ? own.length : 0);
  return all;
}
