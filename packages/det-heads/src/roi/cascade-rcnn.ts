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
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { cascadeRcnn } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const levels = [8, 16].map((channels, i) => ({ name: `level${i}`, channels, stride: 8 << i }));
 * const detector = cascadeRcnn({ levels, classes: 3, preset: 'light', channels: 8, masks: false, seed: 1 });
 * const features = [tf.ones<tf.Rank.R4>([1, 8, 8, 8]), tf.ones<tf.Rank.R4>([1, 4, 4, 16])];
 * const targets = [{ boxes: Float32Array.of(8, 8, 40, 48), labels: Int32Array.of(2) }];
 * const { losses } = detector.loss(features, targets, [{ height: 64, width: 64 }]);
 * console.log(losses['stage2.classes']?.dataSync()[0]);
 * ```
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
