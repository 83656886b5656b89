import { type LayersModel, model } from '@tensorflow/tfjs-layers';
import { checkInteger, HeadBuilder, type HeadOptions } from './blocks.ts';
import type { Level } from './level.ts';

/** Options of {@link fcnHead}. */
export interface FcnHeadOptions extends HeadOptions {
  /** The level that the head reads; UPerNet's auxiliary head reads the last but one. */
  level: Level;
  /** Width of the head; 256 by default. */
  channels?: number;
  /** Number of 3×3 convolutions before the classifier; 1 by default. */
  convs?: number;
}

/**
 * The fully convolutional head, UPerNet's auxiliary one: 3×3 convolutions `convs.I` (each a `.conv` and a `.norm` with
 * ReLU) and `classifier`, on one level.
 *
 * From [batch, h, w, channels] to logits [batch, h, w, classes]; initial weights as in {@link uperNet}.
 *
 * Source: Long et al., arXiv 1411.4038; equal to mmsegmentation's `FCNHead(concat_input=False)`.
 *
 * @throws {@link SegmentationOptionsError} if an option is out of range.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { fcnHead } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * const head = fcnHead({ level: { name: 'level2', channels: 16, stride: 16 }, classes: 3, channels: 8 });
 * console.log((head.apply(tf.zeros([1, 4, 6, 16])) as tf.Tensor4D).shape); // [1, 4, 6, 3]
 * ```
 */
export function fcnHead(options: FcnHeadOptions): LayersModel {
  const { level, channels = 256, convs = 1, name = 'fcn_head' } = options;
  checkInteger('channels', channels, 1);
  checkInteger('convs', convs, 0);
  const build = new HeadBuilder(options);
  const input = build.input(level);
  let x = input;
  for (let i = 0; i < convs; i++) x = build.convNormRelu(`convs.${i}`, x, channels, 3);
  return model({ inputs: input, outputs: build.classifier(x), name });
}
