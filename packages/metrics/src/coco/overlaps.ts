import { DetectionError } from '../errors.ts';
import { iouOfRuns } from '../mask/runs-geometry.ts';
import type { FoundObjects, TrueObjects } from './objects.ts';
import type { CocoIouType } from './options.ts';

/** Gives the IoU of detections with true objects of one image, row-major `[detections, truths]`. */
export type Overlaps = (detections: Int32Array, truths: Int32Array) => Float64Array;

/** The measure of overlap for what is compared. With a crowd the detection's area stands in place of the union. */
export function overlapsOf(type: CocoIouType, found: FoundObjects, truths: TrueObjects): Overlaps {
  const iou = type === 'bbox' ? boxIou(found, truths) : maskIou(found, truths);
  return (ds, ts) => {
    const out = new Float64Array(ds.length * ts.length);
    for (let i = 0, at = 0; i < ds.length; i++) {
      for (let j = 0; j < ts.length; j++) out[at++] = iou(ds[i]!, ts[j]!);
    }
    return out;
  };
}

type Pair = (detection: number, truth: number) => number;

function boxIou({ boxes: d }: FoundObjects, { boxes: t, crowd }: TrueObjects): Pair {
  return (detection, truth) => {
    const [i, j] = [4 * detection, 4 * truth];
    const width = Math.min(d[i]! + d[i + 2]!, t[j]! + t[j + 2]!) - Math.max(d[i]!, t[j]!);
    if (width <= 0) return 0;
    const height = Math.min(d[i + 1]! + d[i + 3]!, t[j + 1]! + t[j + 3]!) - Math.max(d[i + 1]!, t[j + 1]!);
    if (height <= 0) return 0;
    const area = d[i + 2]! * d[i + 3]!;
    const shared = width * height;
    return shared / (crowd[truth] ? area : area + t[j + 2]! * t[j + 3]! - shared);
  };
}

function maskIou({ masks: d }: FoundObjects, { masks: t, crowd }: TrueObjects): Pair {
  return (detection, truth) => {
    const [a, b] = [d[detection]!, t[truth]!];
    if (a.height === b.height && a.width === b.width) return iouOfRuns(a, b, crowd[truth] === 1);
    throw new DetectionError({
      what: `detection ${detection} has a mask of another size than the true masks of its image`,
      expected: `${b.height} × ${b.width}`,
      received: `${a.height} × ${a.width}`,
    });
  };
}
