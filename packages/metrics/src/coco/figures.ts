import type { cocoAreas } from './options.ts';

/**
 * The twelve figures of COCO's evaluation. Without more said, a figure is over all areas with at most 100 detections of a class in
 * an image, and the mean over the IoU thresholds.
 */
export interface CocoFigures<Value> {
  /** Average precision. */
  AP: Value;
  /** Average precision at IoU 0.5. */
  AP50: Value;
  /** Average precision at IoU 0.75. */
  AP75: Value;
  /** Average precision of small objects: an area of at most 32² pixels. */
  APs: Value;
  /** Average precision of medium objects: from 32² to 96² pixels. */
  APm: Value;
  /** Average precision of large objects: from 96² pixels. */
  APl: Value;
  /** Average recall with the surest detection (the first of `maxDetections`). */
  AR1: Value;
  /** Average recall with the ten surest detections (the second of `maxDetections`). */
  AR10: Value;
  /** Average recall with the hundred surest detections (the third of `maxDetections`). */
  AR100: Value;
  /** Average recall of small objects. */
  ARs: Value;
  /** Average recall of medium objects. */
  ARm: Value;
  /** Average recall of large objects. */
  ARl: Value;
}

/** What a figure is the mean of. */
export interface Figure {
  name: keyof CocoFigures<number>;
  of: 'precision' | 'recall';
  iou?: number;
  area: keyof typeof cocoAreas;
  /** Place in `maxDetections`, or the number that must be one of them. */
  most: 0 | 1 | 2 | { detections: number };
}

/** The figures in the order of pycocotools. */
export const figures: readonly Figure[] = [
  { name: 'AP', of: 'precision', area: 'all', most: { detections: 100 } },
  { name: 'AP50', of: 'precision', iou: 0.5, area: 'all', most: 2 },
  { name: 'AP75', of: 'precision', iou: 0.75, area: 'all', most: 2 },
  { name: 'APs', of: 'precision', area: 'small', most: 2 },
  { name: 'APm', of: 'precision', area: 'medium', most: 2 },
  { name: 'APl', of: 'precision', area: 'large', most: 2 },
  { name: 'AR1', of: 'recall', area: 'all', most: 0 },
  { name: 'AR10', of: 'recall', area: 'all', most: 1 },
  { name: 'AR100', of: 'recall', area: 'all', most: 2 },
  { name: 'ARs', of: 'recall', area: 'small', most: 2 },
  { name: 'ARm', of: 'recall', area: 'medium', most: 2 },
  { name: 'ARl', of: 'recall', area: 'large', most: 2 },
];
