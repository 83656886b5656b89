import type { Rle } from '@e3va/metrics';
import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';

/** Height and width in pixels; of an image inside its padding, where a batch is padded. */
export interface ImageSize {
  height: number;
  width: number;
}

/** Masks of the objects of one image, of one size: `data` is [objects, height, width], row by row, 1 inside and 0 outside. */
export interface InstanceMasks {
  height: number;
  width: number;
  data: Uint8Array;
}

/** What is to be found in one image. */
export interface DetectionTargets {
  /** Boxes `x1 y1 x2 y2` in pixels of the network's input, four numbers each. */
  boxes: Float32Array;
  /** The class of each box, from 0. */
  labels: Int32Array;
  /** 1 where a box marks a region to ignore (a crowd of COCO, a difficult object of VOC); none by default. */
  crowd?: Uint8Array;
  /** The masks of the boxes, in their order. */
  masks?: InstanceMasks;
}

/** One object found. */
export interface Detection {
  /** `[x1, y1, x2, y2]` in pixels of the network's input. */
  box: [number, number, number, number];
  /** From 0 to 1. */
  score: number;
  /** Its class, from 0. */
  label: number;
  /** Its mask, of the image's size. */
  mask?: Rle;
}

/** Options of {@link Detector.loss}. */
export interface DetectionLossOptions {
  /** Whether batch normalisation uses the batch's statistics and moves its running ones; true by default. */
  training?: boolean;
  /** Numbers of at least 0 and below 1 for random sampling; `Math.random` by default. `() => 0` takes the first in order. */
  rng?: () => number;
}

/** The losses of a batch, each a scalar, and their sum. */
export interface DetectionLosses {
  total: tf.Scalar;
  losses: Record<string, tf.Scalar>;
}

/**
 * A detector over the levels of a pyramid: neck, heads, loss and post-processing. Which backbone made the levels is none
 * of its business. The size of the network's input is that of the finest level's map times its stride.
 */
export interface Detector {
  /** Number of classes, without the background. */
  readonly classes: number;
  /** Neck and heads by the names that their saved weights start with. */
  readonly models: Record<string, LayersModel>;
  /**
   * The loss of a batch; to be called inside `tf.variableGrads` or `optimizer.minimize`.
   *
   * @param features The levels' maps, [batch, h, w, channels], finest first.
   * @param targets One an image.
   * @param sizes Sizes of the images inside the padding of the batch.
   */
  loss(
    features: tf.Tensor4D[],
    targets: readonly DetectionTargets[],
    sizes: readonly ImageSize[],
    options?: DetectionLossOptions,
  ): DetectionLosses;
  /** The objects of each image, by falling score. Arguments as of {@link Detector.loss}. */
  detect(features: tf.Tensor4D[], sizes: readonly ImageSize[]): Promise<Detection[][]>;
  /** Frees the weights of every model. */
  dispose(): void;
}
