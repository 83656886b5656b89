import type { DraftObject } from './drafts.ts';
import { outlineBox, roundingTolerance, settleOutline } from './outline.ts';
import type { Report } from './problems.ts';
import type { Box, DetectionObject, Segmentation } from './sample.ts';

/** An object that can be used. */
export interface SettledObject {
  object: DetectionObject;
  /** `x y width height` as the file has them, if they were used unchanged. */
  bbox?: readonly number[] | undefined;
}

/**
 * Decides what becomes of one object; the rules are those of {@link openDetectionFolder}. What is repaired or dropped is
 * reported.
 *
 * @param draft Coordinates in pixels.
 * @returns The object, or `undefined` if it is dropped.
 */
export function settleObject(
  draft: DraftObject,
  label: number,
  size: { width: number; height: number },
  report: Report,
): SettledObject | undefined {
  const warn = (what: string, action: string) => report.warn(draft.place, what, action);
  const segmentation = settleOutline(draft.outline, size, warn);
  const reason = unusable(draft.box);
  if (reason !== undefined && !segmentation) {
    warn(reason, 'dropped');
    return undefined;
  }
  if (reason !== undefined) warn(reason, 'the box of its outline was taken');
  const box = reason === undefined ? ([...draft.box!] as Box) : outlineBox(segmentation!);
  const clipped = clipBox(box, size);
  if (clipped[2] <= clipped[0] || clipped[3] <= clipped[1]) {
    warn(`the box ${shownBox(box)} lies outside of the image of ${size.width}x${size.height}`, 'dropped');
    return undefined;
  }
  const beyond = Math.max(...box.map((v, i) => Math.abs(v - clipped[i]!)));
  if (beyond > roundingTolerance) {
    warn(`the box ${shownBox(box)} reaches beyond the image of ${size.width}x${size.height}`, 'clipped');
  }
  const unchanged = reason === undefined && beyond <= roundingTolerance;
  return { object: objectOf(draft, label, clipped, segmentation), bbox: unchanged ? draft.bbox : undefined };
}

function objectOf(
  draft: DraftObject,
  label: number,
  box: Box,
  segmentation: Segmentation | undefined,
): DetectionObject {
  const { crowd = false, difficult = false, area, id } = draft;
  return {
    box,
    label,
    crowd,
    difficult,
    ...(area !== undefined && Number.isFinite(area) && area >= 0 && { area }),
    ...(segmentation && { segmentation }),
    ...(id !== undefined && { id }),
  };
}

/** Why a box cannot be used, if it cannot. */
function unusable(box: readonly number[] | undefined): string | undefined {
  if (!box) return 'an object has no box';
  if (box.length !== 4) return `a box has ${box.length} numbers, not 4`;
  if (!box.every(Number.isFinite)) return 'a box has a coordinate that is no number';
  const [x1, y1, x2, y2] = box as Box;
  return x2 > x1 && y2 > y1 ? undefined : `the box ${shownBox(box)} has no area`;
}

/** The part of a box inside an image; a box outside of it becomes one without area. */
function clipBox([x1, y1, x2, y2]: Box, { width, height }: { width: number; height: number }): Box {
  const clip = (v: number, end: number) => Math.min(Math.max(v, 0), end);
  return [clip(x1, width), clip(y1, height), clip(x2, width), clip(y2, height)];
}

const shownBox = (box: readonly number[]) => `[${box.map((v) => Number(v.toFixed(2))).join(', ')}]`;
