import { blankWeights } from '@e3va/weight-files';
import { input, type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Apply } from '../block.ts';
import { Linear } from '../dense.ts';
import { LayerNorm } from '../layer-norm.ts';
import { PatchGather } from '../patch.ts';
import { stageBlocks } from '../stage-blocks.ts';
import { patchEmbed } from '../swin.ts';
import { swinV2Block } from './block.ts';
import { checkV2Config, type SwinV2Config, type WholeSwinV2Config } from './config.ts';

/**
 * A Swin Transformer V2 as a functional LayersModel of small, named layers, with random weights.
 *
 * Input, outputs, levels and taps are those of {@link swin}: normalised images, [batch, height, width, 3], of any size; the
 * levels `outLevels`, each behind a norm of its own, of `embedDim * 2**s` channels and stride `patch * 2**s`; the taps
 * `stages.S.blocks.B.attn` and `stages.S.blocks.B.mlp`. The attention compares by cosines, the position bias is a small
 * network of the distance, and the norms stand behind attention, MLP and patch merging (`norm1` in front of `attn`, `norm2` in
 * front of `mlp`, `downsample.norm` behind `downsample.reduction`).
 *
 * Maps are padded with zeros at the right and the bottom to whole windows, then rolled, as in transformers; timm rolls first,
 * so the two differ where a map is no multiple of its window. Without `imageSize` no window shrinks and every odd block is
 * shifted, as in {@link swin}: equal to transformers' `Swinv2Backbone` and `Swinv2Model` whose `image_size` is so large that
 * the map of their last stage exceeds the window, for input of any size. With `imageSize`, equal to theirs of that
 * `image_size`, again for input of any size, and to timm's and the official code where nothing is padded. Their published
 * weights were trained so: at 256 × 256 pixels the last stage has windows of 8 tokens, without a shift.
 * (transformers adds the mask of shifted windows twice, here it counts once: no difference in float32 as long as
 * the scores of a window differ by less than 80.)
 *
 * Source: Liu et al., arXiv 2111.09883.
 *
 * @param config The architecture, for instance one of {@link swinV2Presets}.
 * @returns A model that saves and loads as any other LayersModel, as long as this package is imported.
 * @throws {@link SwinConfigError} if the numbers do not go together.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { swinV2 } from '@e3va/swin';
 *
 * await tf.setBackend('cpu');
 * const model = swinV2({ embedDim: 32, depths: [2, 2], heads: [1, 2], window: 4 });
 * const levels = model.predict(tf.zeros([1, 64, 96, 3])) as tf.Tensor4D[];
 * console.log(levels.map((level) => level.shape)); // [1,16,24,32] [1,8,12,64]
 * ```
 */
export function swinV2(config: SwinV2Config): LayersModel {
  return buildSwinV2(config, (layer, inputs) => layer.apply(inputs) as SymbolicTensor);
}

/** The model of {@link swinV2} with all weights zero: for weights that are loaded next, without the cost of drawing. */
export function blankSwinV2(config: SwinV2Config): LayersModel {
  return blankWeights((apply) => buildSwinV2(config, apply));
}

function buildSwinV2(partial: SwinV2Config, apply: Apply): LayersModel {
  const config = checkV2Config(partial);
  const images = input({ shape: [null, null, 3], name: 'images' });
  const outputs: SymbolicTensor[] = [];
  let x = patchEmbed(images, config, apply);
  for (let s = 0; s <= Math.max(...config.outLevels); s++) {
    if (s > 0) x = patchMerging(x, `stages.${s - 1}.downsample`, config.embedDim * 2 ** s, apply);
    x = stage(x, s, config, apply);
    if (config.outLevels.includes(s)) outputs.push(apply(new LayerNorm({ name: `norm${s}` }), x));
  }
  return model({ inputs: images, outputs, name: 'swin_v2' });
}

function patchMerging(x: SymbolicTensor, name: string, units: number, apply: Apply): SymbolicTensor {
  const quads = apply(new PatchGather({ name: `${name}.gather`, size: 2 }), x);
  const reduced = apply(new Linear({ name: `${name}.reduction`, units, useBias: false }), quads);
  return apply(new LayerNorm({ name: `${name}.norm` }), reduced);
}

function stage(x: SymbolicTensor, s: number, config: WholeSwinV2Config, apply: Apply): SymbolicTensor {
  const { window, shift, pretrained } = config.stages[s]!;
  for (const { shifted, ...block } of stageBlocks(config, s)) {
    const windows = { window, shift: shifted ? shift : 0, pretrainedWindow: pretrained };
    x = swinV2Block(x, { ...block, ...windows }, apply);
  }
  return x;
}
