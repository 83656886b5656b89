import { figures } from './figures.ts';
import type { CocoScores } from './scores.ts';

/**
 * The twelve figures as text, a line each, in the form in which pycocotools prints them.
 *
 * @example
 * ```ts
 * import { cocoEvaluate, formatCocoTable } from '@e3va/metrics';
 *
 * const scores = cocoEvaluate({ images: [], annotations: [], categories: [] }, [], { iouType: 'bbox' });
 * console.log(formatCocoTable(scores)); // twelve lines, all -1.000: there is nothing to find
 * ```
 */
export function formatCocoTable(scores: CocoScores): string {
  const { iouThresholds, maxDetections } = scores.params;
  const range = `${iouThresholds[0]!.toFixed(2)}:${iouThresholds.at(-1)!.toFixed(2)}`;
  const lines = figures.map(({ name, of, iou, area, most }) => {
    const title = of === 'precision' ? 'Average Precision  (AP)' : 'Average Recall     (AR)';
    const threshold = (iou?.toFixed(2) ?? range).padEnd(9);
    const detections = typeof most === 'number' ? maxDetections[most] : most.detections;
    const condition = `IoU=${threshold} | area=${area.padStart(6)} | maxDets=${String(detections).padStart(3)}`;
    return ` ${title} @[ ${condition} ] = ${scores[name].toFixed(3)}`;
  });
  return lines.join('\n');
}
