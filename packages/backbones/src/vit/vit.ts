import { DropPath, LayerNorm, Linear } from '@e3va/swin';
import { blankWeights } from '@e3va/weight-files';
import { input, type LayersModel, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { SelfAttention } from '../layers/attention.ts';
import { type Apply, drawn } from '../layers/layer.ts';
import { PatchConv } from '../layers/patch-conv.ts';
import { Scale } from '../layers/scale.ts';
import { checkViT, type ViTConfig, type WholeViTConfig } from './config.ts';
import { simpleFeaturePyramid } from './pyramid.ts';
import { Resample } from './resample.ts';
import { TokenMap } from './token-map.ts';
import { TokenEmbedding } from './tokens.ts';

/**
 * A Vision Transformer (ViT, DINOv2) as a functional LayersModel of small, named layers, with random weights.
 *
 * Input: normalised images, [batch, height, width, 3], of any size: filled up with zeros at the right and the bottom to whole
 * patches, and the positions resized (bicubic) to the image's grid. Outputs: what `pyramid` says; by default four levels of
 * `channels` channels at strides 4, 8, 16 and 32, resampled from the last map behind the final norm, whatever the patch. The
 * map of each output is without the class token and the registers.
 *
 * Names: `patch_embed.proj`, `embed`; in `blocks.B`: `norm1`, `attn.qkv|core|proj|scale`, `attn`, `add1`, `norm2`,
 * `mlp.fc1|fc2|scale`, `mlp`, `add2`; `norm`, `map`, `level0` to `level3`, `pyramid.…`. The taps, what a block adds to the
 * stream, are `blocks.B.attn` and `blocks.B.mlp`: those that `e3va()` takes by itself. With `pyramid: 'simple'` train the
 * pyramid beside the adapters: `e3va({ alsoTrain: pyramidLayers })`.
 *
 * Sources: Dosovitskiy et al., arXiv 2010.11929; Oquab et al., arXiv 2304.07193; Li et al., arXiv 2203.16527. The references
 * are transformers' `ViTModel`, `Dinov2Model` and `Dinov2WithRegistersModel`.
 *
 * @param config The architecture, for instance one of {@link vitPresets} or {@link dinov2Presets}.
 * @returns A model that saves and loads as any other LayersModel, as long as this package is imported.
 * @throws {@link BackboneConfigError} if the numbers do not go together.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { vit } from '@e3va/backbones';
 *
 * await tf.setBackend('cpu');
 * const model = vit({ channels: 8, depth: 2, heads: 2, patch: 16, grid: 4 });
 * const levels = model.predict(tf.zeros([1, 64, 96, 3])) as tf.Tensor4D[];
 * console.log(levels.map((level) => level.shape)); // [1,16,24,8] [1,8,12,8] [1,4,6,8] [1,2,3,8]
 * ```
 */
export function vit(config: ViTConfig): LayersModel {
  return buildViT(config, drawn);
}

/** The model of {@link vit} with all weights zero but those of a pyramid: for weights that are loaded next. */
export function blankViT(config: ViTConfig): LayersModel {
  return blankWeights((apply) => buildViT(config, apply));
}

function buildViT(partial: ViTConfig, apply: Apply): LayersModel {
  const config = checkViT(partial);
  const { channels, depth, patch, grid, registers, antialias, epsilon, outBlocks } = config;
  const images = input({ shape: [null, null, 3], name: 'images' });
  const embed = new PatchConv({ name: 'patch_embed.proj', filters: channels, size: patch, edge: 'pad' });
  let x = apply(new TokenEmbedding({ name: 'embed', grid, registers, antialias }), apply(embed, images));
  const norm = new LayerNorm({ name: 'norm', epsilon });
  const maps: SymbolicTensor[] = [];
  for (let b = 0; b <= Math.max(...outBlocks); b++) {
    const rate = depth > 1 ? (config.dropPath * b) / (depth - 1) : 0;
    x = block(x, `blocks.${b}`, rate, config, apply);
    if (!outBlocks.includes(b)) continue;
    const name = outBlocks.length === 1 ? 'map' : `map${maps.length}`;
    const map = new TokenMap({ name, patch, skip: 1 + registers });
    maps.push(map.apply([apply(norm, x), images]) as SymbolicTensor);
  }
  return model({ inputs: images, outputs: levelsOf(maps, images, config), name: 'vit' });
}

function levelsOf(maps: SymbolicTensor[], images: SymbolicTensor, config: WholeViTConfig): SymbolicTensor[] {
  const { pyramid, patch, pyramidChannels, seed } = config;
  if (pyramid === 'none') return maps;
  const resample = (name: string, to: number) =>
    new Resample({ name, from: patch, to }).apply([maps[0]!, images]) as SymbolicTensor;
  if (pyramid === 'resample') return [4, 8, 16, 32].map((stride, s) => resample(`level${s}`, stride));
  const map = patch === 16 ? maps[0]! : resample('resample', 16);
  return simpleFeaturePyramid(map, { channels: pyramidChannels, seed });
}

/** One block: `x + attn(norm1(x))`, then `x + mlp(norm2(x))`. */
function block(
  x: SymbolicTensor,
  name: string,
  rate: number,
  config: WholeViTConfig,
  apply: Apply,
): SymbolicTensor {
  const attended = apply(layers.add({ name: `${name}.add1` }), [x, attention(x, name, rate, config, apply)]);
  return apply(layers.add({ name: `${name}.add2` }), [attended, mlp(attended, name, rate, config, apply)]);
}

function attention(x: SymbolicTensor, name: string, rate: number, config: WholeViTConfig, apply: Apply) {
  const { channels, heads, epsilon } = config;
  const normed = apply(new LayerNorm({ name: `${name}.norm1`, epsilon }), x);
  const qkv = apply(new Linear({ name: `${name}.attn.qkv`, units: 3 * channels }), normed);
  const core = apply(new SelfAttention({ name: `${name}.attn.core`, heads }), qkv);
  const proj = apply(new Linear({ name: `${name}.attn.proj`, units: channels }), core);
  return branch(proj, `${name}.attn`, rate, config, apply);
}

function mlp(x: SymbolicTensor, name: string, rate: number, config: WholeViTConfig, apply: Apply) {
  const { channels, mlpRatio, epsilon } = config;
  const normed = apply(new LayerNorm({ name: `${name}.norm2`, epsilon }), x);
  const units = Math.round(mlpRatio * channels);
  const hidden = apply(new Linear({ name: `${name}.mlp.fc1`, units, activation: 'gelu' }), normed);
  const projected = apply(new Linear({ name: `${name}.mlp.fc2`, units: channels }), hidden);
  return branch(projected, `${name}.mlp`, rate, config, apply);
}

/** What is added to the stream: with factors where the network has them, and stochastic depth. */
function branch(x: SymbolicTensor, name: string, rate: number, { layerScale }: WholeViTConfig, apply: Apply) {
  const scaled = layerScale > 0 ? apply(new Scale({ name: `${name}.scale`, initial: layerScale }), x) : x;
  return apply(new DropPath({ name, rate }), scaled);
}
