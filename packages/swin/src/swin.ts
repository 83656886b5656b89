import { blankWeights } from '@e3va/weight-files';
import { input, type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type Apply, swinBlock } from './block.ts';
import { checkConfig, type SwinConfig, type WholeSwinConfig } from './config.ts';
import { Linear } from './dense.ts';
import { LayerNorm } from './layer-norm.ts';
import { PatchGather } from './patch.ts';
import { stageBlocks } from './stage-blocks.ts';

/** Mean of the images Swin was trained on, in red, green, blue, for pixel values from 0 to 1. */
export const imagenetMean: [number, number, number] = [0.485, 0.456, 0.406];

/** Standard deviation that goes with {@link imagenetMean}. */
export const imagenetStd: [number, number, number] = [0.229, 0.224, 0.225];

/**
 * A Swin Transformer as a functional LayersModel of small, named layers, with random weights.
 *
 * Input: normalised images, [batch, height, width, 3], of any size. Outputs: the levels `outLevels`, each behind a
 * norm of its own; level s has `embedDim * 2**s` channels and stride `patch * 2**s`. Odd sizes are padded with zeros
 * at the right and the bottom, as dense-prediction code does (mmdetection, the official detection repository).
 *
 * Names: `patch_embed.gather|proj|norm`; in `stages.S.blocks.B`: `norm1`, `attn.partition|qkv|core|proj|reverse`,
 * `attn`, `add1`, `norm2`, `mlp.fc1|fc2`, `mlp`, `add2`; `stages.S.downsample.gather|norm|reduction`; `normS`.
 * The taps, what a block adds to the stream, are `stages.S.blocks.B.attn` and `stages.S.blocks.B.mlp`.
 *
 * Source: Liu et al., arXiv 2103.14030.
 *
 * @param config The architecture, for instance one of {@link swinPresets}.
 * @returns A model that saves and loads as any other LayersModel, as long as this package is imported.
 * @throws {@link SwinConfigError} if the numbers do not go together.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { swin, swinPresets } from '@e3va/swin';
 *
 * await tf.setBackend('cpu');
 * const model = swin(swinPresets.nano);
 * const levels = model.predict(tf.zeros([1, 64, 96, 3])) as tf.Tensor4D[];
 * console.log(levels.map((level) => level.shape)); // [1,16,24,32] [1,8,12,64] [1,4,6,128] [1,2,3,256]
 * ```
 */
export function swin(config: SwinConfig): LayersModel {
  return buildSwin(config, (layer, inputs) => layer.apply(inputs) as SymbolicTensor);
}

/** The model of {@link swin} with all weights zero: for weights that are loaded next, without the cost of drawing. */
export function blankSwin(config: SwinConfig): LayersModel {
  return blankWeights((apply) => buildSwin(config, apply));
}

function buildSwin(partial: SwinConfig, apply: Apply): LayersModel {
  const config = checkConfig(partial);
  const images = input({ shape: [null, null, 3], name: 'images' });
  const maps = stages(images, config, apply);
  const outputs = config.outLevels.map((s) => apply(new LayerNorm({ name: `norm${s}` }), maps[s]!));
  return model({ inputs: images, outputs, name: 'swin' });
}

/**
 * The maps behind each stage, up to the last one of `outLevels`.
 *
 * @param unshifted Stages whose windows are not shifted: in classifiers those with a map no larger than a window.
 */
export function stages(
  images: SymbolicTensor,
  config: WholeSwinConfig,
  apply: Apply,
  unshifted: readonly number[] = [],
): SymbolicTensor[] {
  const maps: SymbolicTensor[] = [];
  let x = patchEmbed(images, config, apply);
  for (let s = 0; s <= Math.max(...config.outLevels); s++) {
    if (s > 0) x = patchMerging(x, `stages.${s - 1}.downsample`, config.embedDim * 2 ** s, apply);
    x = stage(x, s, { ...config, shift: unshifted.includes(s) ? 0 : Math.floor(config.window / 2) }, apply);
    maps.push(x);
  }
  return maps;
}

/** The embedding of the patches, the same in both versions of Swin. */
export function patchEmbed(
  images: SymbolicTensor,
  config: Pick<WholeSwinConfig, 'patch' | 'embedDim'>,
  apply: Apply,
): SymbolicTensor {
  const patches = apply(new PatchGather({ name: 'patch_embed.gather', size: config.patch }), images);
  const tokens = apply(new Linear({ name: 'patch_embed.proj', units: config.embedDim }), patches);
  return apply(new LayerNorm({ name: 'patch_embed.norm' }), tokens);
}

function patchMerging(x: SymbolicTensor, name: string, units: number, apply: Apply): SymbolicTensor {
  const quads = apply(new PatchGather({ name: `${name}.gather`, size: 2 }), x);
  const normed = apply(new LayerNorm({ name: `${name}.norm` }), quads);
  return apply(new Linear({ name: `${name}.reduction`, units, useBias: false }), normed);
}

function stage(
  x: SymbolicTensor,
  s: number,
  config: WholeSwinConfig & { shift: number },
  apply: Apply,
): SymbolicTensor {
  const { window, shift } = config;
  for (const { shifted, ...block } of stageBlocks(config, s)) {
    x = swinBlock(x, { ...block, window, shift: shifted ? shift : 0 }, apply);
  }
  return x;
}
