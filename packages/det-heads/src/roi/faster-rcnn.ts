import type { Detector } from '../detection.ts';
import { type RcnnKind, type RcnnOptions, rcnnWithNeck } from './presets.ts';
import type { PyramidRcnnOptions } from './rcnn.ts';

/** One stage, and the absolute difference of deltas as the loss of boxes: mmdetection's form. */
const singleStage: Omit<RcnnKind, 'masks'> = {
  stages: [{ iou: 0.5, stds: [0.1, 0.1, 0.2, 0.2] }],
  boxLoss: 'l1',
  rpn: { boxLoss: 'l1' },
};

/**
 * Faster R-CNN: a feature pyramid, a region proposal network over five levels, and a box head over regions of the four finer
 * ones. Its models are `neck`, `rpn` and `boxHead`; its losses `rpnClasses`, `rpnBoxes`, `classes` and `boxes`.
 *
 * The loss reads proposals synchronously, see {@link pyramidRcnn}.
 *
 * Source: Ren et al., arXiv 1506.01497, with Lin et al., arXiv 1612.03144, in mmdetection's form.
 *
 * @throws {@link DetectionOptionsError} if an option is out of range.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { fasterRcnn } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const levels = [8, 16].map((channels, i) => ({ name: `level${i}`, channels, stride: 8 << i }));
 * const detector = fasterRcnn({ levels, classes: 3, preset: 'light', channels: 8, seed: 1 });
 * const features = [tf.ones<tf.Rank.R4>([1, 8, 8, 8]), tf.ones<tf.Rank.R4>([1, 4, 4, 16])];
 * const targets = [{ boxes: Float32Array.of(8, 8, 40, 48), labels: Int32Array.of(2) }];
 * const { total } = detector.loss(features, targets, [{ height: 64, width: 64 }]);
 * console.log(total.dataSync()[0]);
 * ```
 */
export function fasterRcnn(options: RcnnOptions): Detector {
  return rcnnWithNeck(options, { ...singleStage, masks: false });
}

/** Options of {@link maskRcnn}. */
export interface MaskRcnnOptions extends RcnnOptions {
  /** Structure of the mask head; by the preset. */
  maskHead?: PyramidRcnnOptions['maskHead'];
}

/**
 * Mask R-CNN: {@link fasterRcnn} with a mask for every object, learned from the masks of the targets. One more model, `maskHead`,
 * and one more loss, `masks`.
 *
 * Source: He et al., arXiv 1703.06870, in mmdetection's form; `definition: 'torchvision'` for the details of torchvision's.
 *
 * @throws {@link DetectionOptionsError} if an option is out of range.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { maskRcnn } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const levels = [8, 16].map((channels, i) => ({ name: `level${i}`, channels, stride: 8 << i }));
 * const detector = maskRcnn({ levels, classes: 3, preset: 'light', channels: 8, scoreThreshold: 0.25, seed: 1 });
 * const features = [tf.ones<tf.Rank.R4>([1, 8, 8, 8]), tf.ones<tf.Rank.R4>([1, 4, 4, 16])];
 * const [found] = await detector.detect(features, [{ height: 64, width: 64 }]);
 * console.log(found?.[0]?.mask?.size); // [64, 64], if there is anything
 * ```
 */
export function maskRcnn({ maskHead, ...options }: MaskRcnnOptions): Detector {
  return rcnnWithNeck(options, { ...singleStage, masks: { ...maskHead } });
}
