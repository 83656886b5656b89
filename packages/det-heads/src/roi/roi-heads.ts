import type * as tf from '@tensorflow/tfjs-core';
import type { Detection, DetectionLossOptions, DetectionTargets, ImageSize } from '../detection.ts';
import { roiDetections } from './roi-detections.ts';
import { roiLosses } from './roi-losses.ts';
import { completed, type RoiHeadsOptions } from './roi-options.ts';

/**
 * The second part of every R-CNN: one or more stages of heads over regions that are pooled from a pyramid. Each stage
 * after the first takes the boxes that the one before refined, and wants them to overlap objects more.
 *
 * Sources: Faster R-CNN, arXiv 1506.01497; Mask R-CNN, arXiv 1703.06870; Cascade R-CNN, arXiv 1712.00726. Equal to
 * mmdetection's `StandardRoIHead` and `CascadeRoIHead`, and to torchvision's `RoIHeads`.
 */
export class RoiHeads {
  private readonly options: Required<RoiHeadsOptions>;

  constructor(options: RoiHeadsOptions) {
    this.options = completed(options);
  }

  /**
   * The losses of every stage, each a scalar times the stage's weight: `classes`, `boxes` and, with mask heads, `masks`; of
   * several stages with `stage0.` and so on in front. To be called while gradients are recorded. Between stages the outputs are
   * read, synchronously.
   *
   * @param maps The pooled levels, [batch, h, w, channels].
   * @param proposals Boxes of each image, `x1 y1 x2 y2`, four numbers each.
   * @param sizes Sizes of the images inside their padding.
   * @throws {@link DetectionInputError} if there are mask heads and an image with objects has no masks.
   */
  loss(
    maps: readonly tf.Tensor4D[],
    proposals: readonly Float32Array[],
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
    { training = true, rng = Math.random }: DetectionLossOptions = {},
  ): Record<string, tf.Scalar> {
    return roiLosses(this.options, proposals, { maps, targets, sizes, training, rng });
  }

  /**
   * The objects of each image, by falling score: the probabilities are the softmax of the stages' mean logits, the boxes the
   * last stage's, masks the mean of the stages' probabilities.
   */
  async detect(
    maps: readonly tf.Tensor4D[],
    proposals: readonly Float32Array[],
    sizes: readonly ImageSize[],
  ): Promise<Detection[][]> {
    const found: Detection[][] = [];
    for (const [index, own] of proposals.entries()) {
      found.push(await roiDetections(this.options, { maps, index, size: sizes[index]!, proposals: own }));
    }
    return found;
  }
}
