import { outlineBox } from '../outline.ts';
import type { Box } from '../sample.ts';

/** Distances below this are rounding. */
const tolerance = 1e-9;

/**
 * The box of the part of a polygon that lies inside a border, or `undefined` if none does. The polygon that `clipPolygon` gives has a
 * larger box where it keeps bridges along the border.
 *
 * Each extreme point of that part is on an edge of the polygon inside the border, or a corner of the border inside the polygon.
 */
export function shownBox(polygon: readonly number[], border: Box): Box | undefined {
  const points = cornersWithin(polygon, border);
  for (let i = 0; i < polygon.length; i += 2) {
    const j = (i + 2) % polygon.length;
    points.push(...shownEdge([polygon[i]!, polygon[i + 1]!], [polygon[j]!, polygon[j + 1]!], border));
  }
  const box = outlineBox([points.flat()]);
  return Math.min(box[2] - box[0], box[3] - box[1]) > tolerance ? box : undefined;
}

type Point = readonly [x: number, y: number];

/** The ends of the part of an edge inside the border (Liang and Barsky, 1984); none if it only runs along the border or touches it. */
function shownEdge(a: Point, b: Point, border: Box): Point[] {
  let [from, to] = [0, 1];
  for (const axis of [0, 1] as const) {
    const [low, high, start] = [border[axis], border[axis + 2]!, a[axis]];
    const change = b[axis] - start;
    if (change === 0 && (start <= low || start >= high)) return [];
    if (change === 0) continue;
    const [one, two] = [(low - start) / change, (high - start) / change];
    from = Math.max(from, Math.min(one, two));
    to = Math.min(to, Math.max(one, two));
  }
  if (to - from <= tolerance) return [];
  return [from, to].map((t) => [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])] as const);
}

/** The corners of the border at which the polygon covers what is inside. */
function cornersWithin(polygon: readonly number[], [x1, y1, x2, y2]: Box): Point[] {
  const inset = 1e-6;
  return [
    [x1, y1, 1, 1],
    [x2, y1, -1, 1],
    [x2, y2, -1, -1],
    [x1, y2, 1, -1],
  ].flatMap(([x, y, right, down]): Point[] =>
    isWithin([x! + inset * right!, y! + inset * down!], polygon) ? [[x!, y!]] : [],
  );
}

/** Whether a ray from the point to the right meets the polygon an odd number of times. */
function isWithin([x, y]: Point, polygon: readonly number[]): boolean {
  let within = false;
  for (let i = 0, j = polygon.length - 2; i < polygon.length; j = i, i += 2) {
    const [ax, ay, bx, by] = [polygon[i]!, polygon[i + 1]!, polygon[j]!, polygon[j + 1]!];
    if (ay > y !== by > y && x < ax + ((y - ay) / (by - ay)) * (bx - ax)) within = !within;
  }
  return within;
}
