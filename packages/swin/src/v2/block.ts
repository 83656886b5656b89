import { layers, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Apply, BlockConfig } from '../block.ts';
import { Linear } from '../dense.ts';
import { DropPath } from '../drop-path.ts';
import { LayerNorm } from '../layer-norm.ts';
import { WindowPartition, WindowReverse } from '../window.ts';
import { CosineWindowAttention } from './attention.ts';

/** The numbers of one Swin V2 block. */
interface V2BlockConfig extends BlockConfig {
  pretrainedWindow: number;
}

/**
 * One Swin V2 block of named layers: `x + norm1(attn(x))`, then `x + norm2(mlp(x))`.
 *
 * The layers named `<name>.attn` and `<name>.mlp` hold what is added to the stream: the taps.
 *
 * @param x Map, [batch, height, width, channels].
 * @param config The numbers.
 * @param apply How a layer is applied.
 * @returns A map of the same shape.
 */
export function swinV2Block(x: SymbolicTensor, config: V2BlockConfig, apply: Apply): SymbolicTensor {
  const { name } = config;
  const attended = apply(layers.add({ name: `${name}.add1` }), [x, attention(x, config, apply)]);
  return apply(layers.add({ name: `${name}.add2` }), [attended, mlp(attended, config, apply)]);
}

function attention(x: SymbolicTensor, config: V2BlockConfig, apply: Apply): SymbolicTensor {
  const { name, channels, heads, window, shift, pretrainedWindow } = config;
  const windows = apply(new WindowPartition({ name: `${name}.attn.partition`, window, shift }), x);
  const qkv = apply(new Linear({ name: `${name}.attn.qkv`, units: 3 * channels, useBias: false }), windows);
  const core = { name: `${name}.attn.core`, heads, window, shift, pretrainedWindow };
  const mixed = apply(new CosineWindowAttention(core), [qkv, x]);
  const proj = apply(new Linear({ name: `${name}.attn.proj`, units: channels }), mixed);
  const map = apply(new WindowReverse({ name: `${name}.attn.reverse`, window, shift }), [proj, x]);
  const normed = apply(new LayerNorm({ name: `${name}.norm1` }), map);
  return apply(new DropPath({ name: `${name}.attn`, rate: config.dropPath }), normed);
}

function mlp(x: SymbolicTensor, config: V2BlockConfig, apply: Apply): SymbolicTensor {
  const { name, channels, mlpRatio } = config;
  const units = Math.round(mlpRatio * channels);
  const hidden = apply(new Linear({ name: `${name}.mlp.fc1`, units, activation: 'gelu' }), x);
  const projected = apply(new Linear({ name: `${name}.mlp.fc2`, units: channels }), hidden);
  const normed = apply(new LayerNorm({ name: `${name}.norm2` }), projected);
  return apply(new DropPath({ name: `${name}.mlp`, rate: config.dropPath }), normed);
}
