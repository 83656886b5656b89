import { AddNearest, Conv, Subsample } from '@e3va/head-layers';
import { input, type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { checkInteger, type Level } from './batch.ts';

/** Options of {@link fpn}. */
export interface FpnOptions {
  /** The levels that the backbone puts out, finest first. */
  levels: readonly Level[];
  /** Channels of every level of the pyramid; 256 by default. */
  channels?: number;
  /** Levels of the pyramid; as many as come in by default. */
  outputs?: number;
  /**
   * What the further levels are made of. `'pool'` (default): every second pixel of the one before. `'output'`, `'input'`: a
   * 3×3 convolution with a stride of 2, the first over the coarsest level of the pyramid or of the backbone, the others over the
   * one before.
   */
  extra?: 'pool' | 'output' | 'input';
  /** Whether ReLU stands before each further convolution but the first, as in torchvision; false by default, as in mmdetection. */
  reluBeforeExtra?: boolean;
  /** Seed of the initial weights; without one they differ at each construction. */
  seed?: number;
  /** Name of the model. */
  name?: string;
}

/**
 * A feature pyramid network: every level by a 1×1 convolution plus the coarser one, repeated to its size, then a 3×3 convolution.
 *
 * From the levels' maps, [batch, h, w, channels] of any size, to those of the pyramid, finest first. Layers: `lateral.I`,
 * `output.I` and `extra.I`, all with biases; kernels start as Glorot and Bengio's, biases at 0, as in mmdetection.
 *
 * Source: Lin et al., arXiv 1612.03144; equal to mmdetection's `FPN` and torchvision's `FeaturePyramidNetwork`.
 *
 * @throws DetectionOptionsError if an option is out of range.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { fpn } from '@e3va/det-heads';
 *
 * await tf.setBackend('cpu');
 * const levels = [8, 16].map((channels, i) => ({ name: `level${i}`, channels, stride: 8 << i }));
 * const neck = fpn({ levels, channels: 4, outputs: 3 });
 * const pyramid = neck.apply([tf.zeros([1, 8, 12, 8]), tf.zeros([1, 4, 6, 16])]) as tf.Tensor4D[];
 * console.log(pyramid.map((map) => map.shape)); // [1, 8, 12, 4], [1, 4, 6, 4], [1, 2, 3, 4]
 * ```
 */
export function fpn(options: FpnOptions): LayersModel {
  const { levels, channels = 256, outputs: count = levels.length, seed, name = 'fpn' } = options;
  checkInteger('channels', channels, 1);
  checkInteger('levels', levels.length, 1);
  checkInteger('outputs', count, levels.length);
  let drawn = 0;
  const conv = (name: string, x: SymbolicTensor, kernelSize: number, stride = 1) => {
    drawn++;
    const seeded = seed === undefined ? {} : { seed: seed * 1000 + 100 + drawn };
    const layer = new Conv({ name, filters: channels, kernelSize, stride, initializer: 'xavier', ...seeded });
    return layer.apply(x) as SymbolicTensor;
  };
  const inputs = levels.map(({ name, channels }) => input({ shape: [null, null, channels], name }));
  const maps = inputs.map((x, i) => conv(`lateral.${i}`, x, 1));
  for (let i = maps.length - 2; i >= 0; i--) {
    const add = new AddNearest({ name: `lateral.${i}.add` });
    maps[i] = add.apply([maps[i]!, maps[i + 1]!]) as SymbolicTensor;
  }
  const outputs = maps.map((x, i) => conv(`output.${i}`, x, 3));
  while (outputs.length < count) outputs.push(extraLevel(outputs, inputs, options, conv));
  return model({ inputs, outputs, name });
}

/** The next level beyond those of the backbone. */
function extraLevel(
  outputs: SymbolicTensor[],
  inputs: SymbolicTensor[],
  { extra = 'pool', reluBeforeExtra = false }: FpnOptions,
  conv: (name: string, x: SymbolicTensor, kernelSize: number, stride: number) => SymbolicTensor,
): SymbolicTensor {
  const index = outputs.length - inputs.length;
  const name = `extra.${index}`;
  const last = outputs.at(-1)!;
  if (extra === 'pool') return new Subsample({ name }).apply(last) as SymbolicTensor;
  if (index === 0) return conv(name, extra === 'input' ? inputs.at(-1)! : last, 3, 2);
  const before = reluBeforeExtra ? layers.reLU({ name: `${name}.relu` }).apply(last) : last;
  return conv(name, before as SymbolicTensor, 3, 2);
}

/** Pixels a cell of each level of a pyramid of `outputs` levels, over those of a backbone; each further one doubles. */
export function pyramidStrides(levels: readonly Level[], outputs: number): number[] {
  const strides = levels.map((level) => level.stride);
  while (strides.length < outputs) strides.push(2 * strides.at(-1)!);
  return strides;
}
