import { octaveSizes } from './anchors.ts';
import { type Level, withDefaults } from './batch.ts';
import type { Detector } from './detection.ts';
import { DetectionOptionsError } from './errors.ts';
import { type FpnOptions, fpn, pyramidStrides } from './fpn.ts';
import { withNeck } from './neck.ts';
import { type PyramidRetinaNetOptions, pyramidRetinaNet } from './pyramid-retinanet.ts';

/** Sizes of {@link retinaNet}: those of mmdetection, and one for browsers and the wasm backend. */
const presets = {
  paper: { channels: 256, convs: 4 },
  light: { channels: 64, convs: 2 },
} as const;

/** Options of {@link retinaNet}. */
export interface RetinaNetOptions
  extends Omit<PyramidRetinaNetOptions, 'channels' | 'strides'>,
    Pick<FpnOptions, 'extra' | 'reluBeforeExtra'> {
  /** The levels that the backbone puts out, finest first. Those of a stride below 8 are not read. */
  levels: readonly Level[];
  /** `'paper'` (default): mmdetection's 256 channels and 4 convolutions. `'light'`: 64 channels and 2 convolutions. */
  preset?: 'paper' | 'light';
  /** Channels of the pyramid; by the preset. */
  channels?: number;
  /** Levels beyond the coarsest one; 2 by default. */
  extraLevels?: number;
  /** Side of a level's smallest anchor over its stride; 4 by default. `anchorSizes` goes before it. */
  anchorScale?: number;
  /** Sizes of the anchors of each ratio, from the smallest by equal factors to below its double; 3 by default. */
  octaves?: number;
}

/**
 * RetinaNet: a feature pyramid of strides 8 to 128, for a backbone that ends at 32, and one head for all its levels. Its models
 * are `neck` and `head`; see {@link fpn} for the first and {@link pyramidRetinaNet} for the losses.
 *
 * Source: Lin et al., arXiv 1708.02002, in mmdetection's form: P6 is a convolution of the coarsest level that comes in.
 *
 * @throws {@link DetectionOptionsError} if an option is out of range or no level has a stride of at least 8.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { retinaNet } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const levels = [8, 16].map((channels, i) => ({ name: `level${i}`, channels, stride: 8 << i }));
 * const detector = retinaNet({ levels, classes: 3, preset: 'light', seed: 1 });
 * const features = [tf.ones<tf.Rank.R4>([1, 8, 8, 8]), tf.ones<tf.Rank.R4>([1, 4, 4, 16])];
 * const targets = [{ boxes: Float32Array.of(8, 8, 40, 48), labels: Int32Array.of(2) }];
 * const { total } = detector.loss(features, targets, [{ height: 64, width: 64 }]);
 * console.log(total.dataSync()[0]);
 * ```
 */
export function retinaNet(options: RetinaNetOptions): Detector {
  const {
    levels,
    preset = 'paper',
    extraLevels = 2,
    extra = 'input',
    reluBeforeExtra,
    anchorScale: scale,
    octaves: count,
    ...rest
  } = options;
  const sized = withDefaults(rest, presets[preset]);
  const from = levels.findIndex((level) => level.stride >= 8);
  if (from < 0) {
    throw new DetectionOptionsError({
      what: 'retinaNet: the levels are too fine',
      expected: 'a level with a stride of at least 8',
      received: `strides ${levels.map((level) => level.stride).join(', ')}`,
    });
  }
  const read = levels.slice(from);
  const outputs = read.length + extraLevels;
  const { channels, seed } = sized;
  const neck = fpn({ levels: read, channels, outputs, extra, reluBeforeExtra, seed });
  const strides = pyramidStrides(read, outputs);
  const { definition } = sized;
  const anchorSizes =
    sized.anchorSizes ?? strides.map((stride) => octaveSizes(stride, { scale, count, definition }));
  const head = pyramidRetinaNet({ ...sized, strides, anchorSizes });
  return withNeck(neck, levels, from, head);
}
