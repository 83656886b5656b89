import type { Detection } from './detection.ts';
import { DetectionInputError } from './errors.ts';

/** A detection as `@tensorflow-models/coco-ssd` writes it. */
export interface CocoSsdDetection {
  /** `[x, y, width, height]` in pixels. */
  bbox: [number, number, number, number];
  /** The name of its class. */
  class: string;
  /** From 0 to 1. */
  score: number;
}

/**
 * Detections in the form of `@tensorflow-models/coco-ssd`, for code that was written for it.
 *
 * @param classNames The name of each class.
 * @throws {@link DetectionInputError} if a detection's class has no name.
 *
 * @example
 * ```ts
 * import { toCocoSsd } from '@e3va/det-heads';
 *
 * console.log(toCocoSsd([{ box: [10, 20, 30, 60], score: 0.9, label: 1 }], ['cat', 'dog']));
 * // bbox [10, 20, 20, 40], class 'dog', score 0.9
 * ```
 */
export function toCocoSsd(
  detections: readonly Detection[],
  classNames: readonly string[],
): CocoSsdDetection[] {
  return detections.map(({ box: [x1, y1, x2, y2], score, label }) => {
    const name = classNames[label];
    if (name === undefined) {
      throw new DetectionInputError({
        what: 'toCocoSsd: a detection’s class has no name',
        expected: `a label of 0 to ${classNames.length - 1}`,
        received: `${label}`,
      });
    }
    return { bbox: [x1, y1, x2 - x1, y2 - y1], class: name, score };
  });
}
