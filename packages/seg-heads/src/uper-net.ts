import { AdaptiveAveragePool, AddResized } from '@e3va/head-layers';
import { type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { checkInteger, HeadBuilder, type HeadOptions } from './blocks.ts';
import { SegmentationOptionsError } from './errors.ts';
import type { Level } from './level.ts';

/** Options of {@link uperNet}. */
export interface UperNetOptions extends HeadOptions {
  /** The pyramid, finest level first; at least two. */
  levels: readonly Level[];
  /** Width of the head; 512 by default. */
  channels?: number;
  /** Sides of the pooled maps of the pyramid pooling module; 1, 2, 3 and 6 by default. */
  poolScales?: readonly number[];
}

/**
 * The UPerNet head: pyramid pooling on the coarsest level, a top-down feature pyramid, and the fusion of its levels.
 *
 * Its inputs are the levels' maps, [batch, h, w, channels] in the order of `levels` and of any size; its output the
 * logits, [batch, h₀, w₀, classes] at the first level's size. Layers: `psp.I`, `bottleneck`, `lateral.I`, `fpn.I`,
 * `fpn_bottleneck` (each a `.conv` and a `.norm` with ReLU) and `classifier`. Convolutions start as
 * PyTorch's do by default (see `Conv` of `@e3va/head-layers`), norms at 1 and 0.
 *
 * Source: Xiao et al., arXiv 1807.10221; equal to mmsegmentation's `UPerHead` and Hugging Face's `UperNetHead`.
 *
 * @throws {@link SegmentationOptionsError} if an option is out of range or fewer than two levels are given.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { uperNet } from '@e3va/seg-heads';
 *
 * await tf.setBackend('cpu');
 * const levels = [8, 16].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
 * const head = uperNet({ levels, classes: 3, channels: 8, seed: 1 });
 * const logits = head.apply([tf.zeros([1, 8, 12, 8]), tf.zeros([1, 4, 6, 16])]) as tf.Tensor4D;
 * console.log(logits.shape); // [1, 8, 12, 3]
 * ```
 */
export function uperNet(options: UperNetOptions): LayersModel {
  const { levels, channels = 512, poolScales = [1, 2, 3, 6], name = 'uper_net' } = options;
  checkInteger('channels', channels, 1);
  for (const scale of poolScales) checkInteger('an entry of poolScales', scale, 1);
  checkLevels(levels);
  const build = new HeadBuilder(options);
  const inputs = levels.map((level) => build.input(level));

  const maps = inputs.slice(0, -1).map((x, i) => build.convNormRelu(`lateral.${i}`, x, channels, 1));
  maps.push(pyramidPooling(build, inputs.at(-1)!, channels, poolScales));
  for (let i = maps.length - 2; i >= 0; i--) {
    const add = new AddResized({ name: `lateral.${i}.add` });
    maps[i] = add.apply([maps[i]!, maps[i + 1]!]) as SymbolicTensor;
  }

  const last = maps.length - 1;
  const outs = maps.map((x, i) => (i < last ? build.convNormRelu(`fpn.${i}`, x, channels, 3) : x));
  const y = build.convNormRelu('fpn_bottleneck', outs, channels, 3); // resizes to the first level
  return model({ inputs, outputs: build.classifier(y), name });
}

/** Averages of the map over coarse grids, each projected, joined with the map: arXiv 1612.01105. */
function pyramidPooling(
  build: HeadBuilder,
  x: SymbolicTensor,
  channels: number,
  scales: readonly number[],
): SymbolicTensor {
  const pooled = scales.map((scale, i) => {
    const bins = new AdaptiveAveragePool({ name: `psp.${i}.pool`, size: [scale, scale] }).apply(x);
    return build.convNormRelu(`psp.${i}`, bins as SymbolicTensor, channels, 1);
  });
  return build.convNormRelu('bottleneck', [x, ...pooled], channels, 3);
}

function checkLevels(levels: readonly Level[]): void {
  const names = levels.map(({ name }) => name);
  if (levels.length >= 2 && new Set(names).size === levels.length) return;
  throw new SegmentationOptionsError({
    what: 'uperNet: the levels do not make a pyramid',
    expected: 'at least two levels with different names, finest first',
    received: names.length > 0 ? names.join(', ') : 'none',
    fix: 'use fcnHead for a single level',
  });
}
