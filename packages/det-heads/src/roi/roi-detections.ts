import * as tf from '@tensorflow/tfjs-core';
import { joined } from '../anchors.ts';
import { decodeBoxes } from '../box-coding.ts';
import type { Detection, ImageSize } from '../detection.ts';
import { toDetections } from '../detections.ts';
import { type FoundBoxes, selectBoxes, softmaxRows } from './box-detections.ts';
import { ownMasks } from './mask-loss.ts';
import { pasteMasks } from './paste-masks.ts';
import { refinedBoxes } from './refine-boxes.ts';
import { codingOf, pooledFor, type RoiHeadsOptions } from './roi-options.ts';
import type { Rois } from './rois.ts';

/** Regions that go through a head at a time. */
const chunkSize = 256;

/** Least side of a box that torchvision keeps, in pixels. */
const torchvisionMinSize = 0.01;

/** One image of a batch, and where to look in it. */
export interface RoiImage {
  /** The pooled levels of the batch. */
  maps: readonly tf.Tensor4D[];
  /** Index of the image within them. */
  index: number;
  size: ImageSize;
  /** Boxes `x1 y1 x2 y2`, four numbers each. */
  proposals: Float32Array;
}

/** The objects of an image, by falling score. */
export async function roiDetections(
  options: Required<RoiHeadsOptions>,
  image: RoiImage,
): Promise<Detection[]> {
  const found = await findBoxes(options, image);
  const masks = await findMasks(options, image, found);
  const rles = masks && pasteMasks(masks, found.boxes, image.size, { definition: options.definition });
  const detections = toDetections(found.boxes, found.scores, found.labels);
  return rles ? detections.map((detection, k) => ({ ...detection, mask: rles[k]! })) : detections;
}

/** Scores by the mean of the logits of all stages, boxes by the last one. */
async function findBoxes(options: Required<RoiHeadsOptions>, image: RoiImage): Promise<FoundBoxes> {
  const { classes, stages, definition } = options;
  const { maps, size, proposals } = image;
  const mean = new Float32Array((proposals.length / 4) * (classes + 1));
  let regions = proposals;
  let boxes = proposals;
  for (const [s, stage] of stages.entries()) {
    const { boxHead } = stage;
    const [logits, deltas] = await inChunks(image, regions, (rois) => {
      return boxHead.apply(pooledFor(boxHead, maps, rois, options)) as tf.Tensor[];
    });
    for (let i = 0; i < mean.length; i++) mean[i]! += logits![i]! / stages.length;
    const coding = codingOf(stage, options);
    if (s + 1 < stages.length) regions = refinedBoxes(regions, logits!, deltas!, { classes, coding, size });
    else boxes = decodeBoxes(deltas!, regions, coding, size);
  }
  const minSize = definition === 'torchvision' ? torchvisionMinSize : 0;
  return selectBoxes(softmaxRows(mean, classes + 1), boxes, classes, { ...options, minSize });
}

/** Each object's mask of its own class, the mean of the stages' probabilities; undefined without mask heads. */
export async function findMasks(
  options: Required<RoiHeadsOptions>,
  image: RoiImage,
  { boxes, labels }: FoundBoxes,
): Promise<Float32Array | undefined> {
  const heads = options.stages.flatMap(({ maskHead }) => maskHead ?? []);
  if (heads.length === 0) return undefined;
  const [masks] = await inChunks(image, boxes, (rois, start) => {
    const own = labels.subarray(start, start + rois.images.length);
    const each = heads.map((head) => {
      const logits = head.apply(pooledFor(head, image.maps, rois, options)) as tf.Tensor4D;
      return tf.sigmoid(ownMasks(logits, own));
    });
    return [tf.div(tf.addN(each), heads.length)];
  });
  return masks;
}

/** The values of the tensors that `apply` makes of an image's regions, some at a time; none gives empty arrays. */
async function inChunks(
  { index }: RoiImage,
  boxes: Float32Array,
  apply: (rois: Rois, start: number) => tf.Tensor[],
): Promise<Float32Array[]> {
  const chunks: Float32Array[][] = [];
  for (let start = 0; start < boxes.length / 4; start += chunkSize) {
    const own = boxes.subarray(4 * start, 4 * (start + chunkSize));
    const rois = { boxes: own, images: new Int32Array(own.length / 4).fill(index) };
    const tensors = tf.tidy(() => apply(rois, start));
    chunks.push(await Promise.all(tensors.map((t) => t.data<'float32'>())));
    tf.dispose(tensors);
  }
  return [0, 1].map((k) =>
    joined(
      chunks.map((chunk) => chunk[k] ?? new Float32Array(0)),
      Float32Array,
    ),
  );
}
