import type { Detector } from '../detection.ts';
import type { MaskRcnnOptions } from './faster-rcnn.ts';
import { rcnnWithNeck } from './presets.ts';

/** Options of {@link cascadeRcnn}. */
export interface CascadeRcnnOptions extends MaskRcnnOptions {
  /** Whether every stage has a mask head; true by default. */
  masks?: boolean;
}

/**
 * Cascade R-CNN, by default with masks: three stages, each of which takes the boxes that the one before refined and wants
 * them to overlap objects by more, 0.5, 0.6 and 0.7. Scores are the softmax of the stages' mean logits, masks the mean of their
 * probabilities.
 *
 * By default all classes share one box and its loss is smooth L1. The configuration of the Swin authors is
 * `{ boxHead: { convs: 4, norm: true, dense: 1, classAgnostic: false }, boxLoss: 'giou', boxLossWeight: 10 }`.
 *
 * Its models are `neck`, `rpn`, `boxHead0` to `boxHead2` and `maskHead0` to `maskHead2`; its losses `rpnClasses`, `rpnBoxes`,
 * `stage0.classes`, `stage0.boxes`, `stage0.masks` and so on. The loss reads proposals and boxes synchronously, see
 * {@link pyramidRcnn}.
 *
 * Source: Cai and Vasconcelos, arXiv 1712.00726, in mmdetection's form.
 *
 * @throws {@link DetectionOptionsError} if an option is out of range.
 */
export function cascadeRcnn({ masks = true, maskHead, ...options }: CascadeRcnnOptions): Detector {
  return rcnnWithNeck(options, {
    stages: [
      { iou: 0.5, stds: [0.1, 0.1, 0.2, 0.2], weight: 1 },
      { iou: 0.6, stds: [0.05, 0.05, 0.1, 0.1], weight: 0.5 },
      { iou: 0.7, stds: [0.033, 0.033, 0.067, 0.067], weight: 0.25 },
    ],
    boxHead: { classAgnostic: true },
    boxLoss: 'smooth-l1',
    beta: 1,
    masks: masks && { ...maskHead },
  });
}
