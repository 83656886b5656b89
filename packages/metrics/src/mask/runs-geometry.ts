import type { Runs } from './runs.ts';

/** The number of pixels inside. */
export function areaOfRuns({ lengths }: Runs): number {
  let area = 0;
  for (let i = 1; i < lengths.length; i += 2) area += lengths[i]!;
  return area;
}

/** The smallest box around the pixels inside, `[x, y, width, height]`; zeros where there are none. */
export function boxOfRuns({ height, width, lengths }: Runs): [number, number, number, number] {
  let [left, top, right, bottom] = [width, height, -1, -1];
  let end = lengths[0] ?? 0;
  for (let i = 1; i < lengths.length; i += 2) {
    const start = end;
    end = start + lengths[i]!;
    if (end > start) {
      const [x1, y1] = [Math.floor(start / height), start % height];
      const [x2, y2] = [Math.floor((end - 1) / height), (end - 1) % height];
      left = Math.min(left, x1);
      right = Math.max(right, x2);
      // A run that goes over a column's end touches the image's top and bottom.
      top = x1 < x2 ? 0 : Math.min(top, y1);
      bottom = x1 < x2 ? height - 1 : Math.max(bottom, y2);
    }
    end += lengths[i + 1] ?? 0;
  }
  return right < 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
}

/** Walks two masks at once, and calls `visit` for each stretch over which neither changes. */
function walkPair(a: Uint32Array, b: Uint32Array, visit: (length: number, inA: number, inB: number) => void) {
  let [ai, bi] = [0, 0];
  let [aLeft, bLeft] = [a[0] ?? 0, b[0] ?? 0];
  while (ai < a.length && bi < b.length) {
    const length = Math.min(aLeft, bLeft);
    if (length > 0) visit(length, ai & 1, bi & 1);
    aLeft -= length;
    bLeft -= length;
    if (aLeft === 0) aLeft = a[++ai] ?? 0;
    if (bLeft === 0) bLeft = b[++bi] ?? 0;
  }
}

/** Union or intersection of masks of one size; the list is not empty. */
export function mergeRuns(masks: readonly Runs[], intersect: boolean): Runs {
  const { height, width } = masks[0]!;
  const lengths = masks.map((mask) => mask.lengths).reduce((a, b) => mergePair(a, b, intersect));
  return { height, width, lengths };
}

function mergePair(a: Uint32Array, b: Uint32Array, intersect: boolean): Uint32Array {
  const lengths: number[] = [0];
  walkPair(a, b, (length, inA, inB) => {
    const inside = intersect ? inA & inB : inA | inB;
    if (inside === ((lengths.length - 1) & 1)) lengths[lengths.length - 1]! += length;
    else lengths.push(length);
  });
  return Uint32Array.from(lengths);
}

function intersectionOfRuns(a: Uint32Array, b: Uint32Array): number {
  let shared = 0;
  walkPair(a, b, (length, inA, inB) => {
    if (inA & inB) shared += length;
  });
  return shared;
}

/** A mask with what comparing it with others needs. */
export interface MeasuredRuns extends Runs {
  area: number;
  box: [x: number, y: number, width: number, height: number];
}

/** A mask with its area and box. */
export const measureRuns = (runs: Runs): MeasuredRuns => ({
  ...runs,
  area: areaOfRuns(runs),
  box: boxOfRuns(runs),
});

/** Intersection over union of two masks of one size; over the detection's area alone if the other is a crowd. */
export function iouOfRuns(detection: MeasuredRuns, truth: MeasuredRuns, crowd: boolean): number {
  if (!boxesMeet(detection.box, truth.box)) return 0;
  const shared = intersectionOfRuns(detection.lengths, truth.lengths);
  if (shared === 0) return 0;
  return shared / (crowd ? detection.area : detection.area + truth.area - shared);
}

type Box = MeasuredRuns['box'];
const boxesMeet = (a: Box, b: Box) =>
  a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3];
