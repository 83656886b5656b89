import { DropPath, LayerNorm, Linear } from '@e3va/swin';
import { blankWeights } from '@e3va/weight-files';
import { input, type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type Apply, drawn } from '../layers/layer.ts';
import { PatchConv } from '../layers/patch-conv.ts';
import { Scale } from '../layers/scale.ts';
import { type ConvNeXtConfig, checkConvNeXt, type WholeConvNeXtConfig } from './config.ts';

/** Added to the variance in every norm. */
const epsilon = 1e-6;

/**
 * A ConvNeXt as a functional LayersModel of small, named layers, with random weights.
 *
 * Input: normalised images, [batch, height, width, 3], of `patch * 2**stages` pixels a side at least. Outputs: the levels
 * `outLevels`, each behind a norm of its own; level s has `channels[s]` channels and stride `patch * 2**s`. Rows and
 * columns that fill no patch are cut off at the right and the bottom, as in PyTorch.
 *
 * Names: `stem.conv|norm`; `stages.S.downsample.norm|conv`; in `stages.S.blocks.B`: `dwconv`, `norm`, `pwconv1` (with
 * GELU), `pwconv2`, `scale`, `branch`, `add`; `normS`. The taps, what a block adds to the stream, are
 * `stages.S.blocks.B.branch`: those that `e3va()` takes by itself.
 *
 * Source: Liu et al., arXiv 2201.03545; the reference is transformers' `ConvNextBackbone`.
 *
 * @param config The architecture, for instance one of {@link convNeXtPresets}.
 * @returns A model that saves and loads as any other LayersModel, as long as this package is imported.
 * @throws {@link BackboneConfigError} if the numbers do not go together.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { convNeXt } from '@e3va/backbones';
 *
 * await tf.setBackend('cpu');
 * const model = convNeXt({ channels: [8, 16, 32, 64], depths: [1, 1, 2, 1] });
 * const levels = model.predict(tf.zeros([1, 64, 96, 3])) as tf.Tensor4D[];
 * console.log(levels.map((level) => level.shape)); // [1,16,24,8] [1,8,12,16] [1,4,6,32] [1,2,3,64]
 * ```
 */
export function convNeXt(config: ConvNeXtConfig): LayersModel {
  return buildConvNeXt(config, drawn);
}

/** The model of {@link convNeXt} with all weights zero: for weights that are loaded next. */
export function blankConvNeXt(config: ConvNeXtConfig): LayersModel {
  return blankWeights((apply) => buildConvNeXt(config, apply));
}

function buildConvNeXt(partial: ConvNeXtConfig, apply: Apply): LayersModel {
  const config = checkConvNeXt(partial);
  const { channels, patch, outLevels } = config;
  const images = input({ shape: [null, null, 3], name: 'images' });
  const stem = apply(new PatchConv({ name: 'stem.conv', filters: channels[0]!, size: patch }), images);
  let x = apply(new LayerNorm({ name: 'stem.norm', epsilon }), stem);
  const outputs: SymbolicTensor[] = [];
  for (let s = 0; s <= Math.max(...outLevels); s++) {
    if (s > 0) x = downsample(x, s, channels[s]!, apply);
    x = stage(x, s, config, apply);
    if (outLevels.includes(s)) outputs.push(apply(new LayerNorm({ name: `norm${s}`, epsilon }), x));
  }
  return model({ inputs: images, outputs, name: 'convnext' });
}

function downsample(x: SymbolicTensor, s: number, filters: number, apply: Apply): SymbolicTensor {
  const name = `stages.${s}.downsample`;
  const normed = apply(new LayerNorm({ name: `${name}.norm`, epsilon }), x);
  return apply(new PatchConv({ name: `${name}.conv`, filters, size: 2 }), normed);
}

function stage(x: SymbolicTensor, s: number, config: WholeConvNeXtConfig, apply: Apply): SymbolicTensor {
  const { depths, channels, dropPath, layerScale } = config;
  const all = depths.reduce((sum, depth) => sum + depth, 0);
  const before = depths.slice(0, s).reduce((sum, depth) => sum + depth, 0);
  for (let b = 0; b < depths[s]!; b++) {
    const rate = all > 1 ? (dropPath * (before + b)) / (all - 1) : 0;
    x = block(x, { name: `stages.${s}.blocks.${b}`, channels: channels[s]!, rate, layerScale }, apply);
  }
  return x;
}

/** The numbers of one block. */
interface BlockConfig {
  /** Prefix of the layers' names. */
  name: string;
  channels: number;
  /** Stochastic depth of the branch. */
  rate: number;
  layerScale: number;
}

/** `x + branch(x)`: depthwise 7 × 7 convolution, norm, MLP of four times the channels, factors. */
function block(x: SymbolicTensor, config: BlockConfig, apply: Apply): SymbolicTensor {
  const { name, channels, rate, layerScale } = config;
  const depthwise = layers.depthwiseConv2d({ name: `${name}.dwconv`, kernelSize: 7, padding: 'same' });
  const normed = apply(new LayerNorm({ name: `${name}.norm`, epsilon }), apply(depthwise, x));
  const hidden = apply(
    new Linear({ name: `${name}.pwconv1`, units: 4 * channels, activation: 'gelu' }),
    normed,
  );
  const mixed = apply(new Linear({ name: `${name}.pwconv2`, units: channels }), hidden);
  const scaled =
    layerScale > 0 ? apply(new Scale({ name: `${name}.scale`, initial: layerScale }), mixed) : mixed;
  const branch = apply(new DropPath({ name: `${name}.branch`, rate }), scaled);
  return apply(layers.add({ name: `${name}.add` }), [x, branch]);
}
