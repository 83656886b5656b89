import { clipPolygon, outlineBox } from '../outline.ts';
import type { Box, Segmentation } from '../sample.ts';
import { placeMask } from './place-mask.ts';
import { type Placement, placeX, placeY } from './placement.ts';
import { shownBox } from './shown-box.ts';

/** An outline and the box of what it holds. */
interface PlacedOutline {
  segmentation: Segmentation;
  box: Box;
}

/** Polygons move as coordinates, masks pixel by pixel. `undefined` if nothing is left. */
export function placeOutline(outline: Segmentation, to: Placement): PlacedOutline | undefined {
  if (Array.isArray(outline)) return placePolygons(outline, to);
  const mask = placeMask(outline, to);
  return mask && { segmentation: mask, box: outlineBox(mask) };
}

function placePolygons(polygons: readonly number[][], to: Placement): PlacedOutline | undefined {
  const border: Box = [0, 0, to.width, to.height];
  const segmentation: number[][] = [];
  let all: Box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const polygon of polygons) {
    const placed = polygon.map((v, i) => (i % 2 === 0 ? placeX(v, to) : placeY(v, to)));
    const isWhole = isInside(placed, border);
    const box = isWhole ? outlineBox([placed]) : shownBox(placed, border);
    if (!box) continue;
    segmentation.push(isWhole ? placed : clipPolygon(placed, border));
    all = [
      Math.min(all[0], box[0]),
      Math.min(all[1], box[1]),
      Math.max(all[2], box[2]),
      Math.max(all[3], box[3]),
    ];
  }
  return segmentation.length > 0 ? { segmentation, box: all } : undefined;
}

function isInside(polygon: readonly number[], [x1, y1, x2, y2]: Box): boolean {
  return polygon.every((v, i) => (i % 2 === 0 ? v >= x1 && v <= x2 : v >= y1 && v <= y2));
}
