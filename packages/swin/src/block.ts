import { layers, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { WindowAttention } from './attention.ts';
import { Linear } from './dense.ts';
import { DropPath } from './drop-path.ts';
import { LayerNorm } from './layer-norm.ts';
import type { StageBlock } from './stage-blocks.ts';
import { WindowPartition, WindowReverse } from './window.ts';

/** Applies a layer to symbolic inputs. */
export type Apply = (layer: layers.Layer, inputs: SymbolicTensor | SymbolicTensor[]) => SymbolicTensor;

/** The numbers of one Swin block. */
export interface BlockConfig extends Omit<StageBlock, 'shifted'> {
  window: number;
  shift: number;
}

/**
 * One Swin block of named layers: `x + attn(norm1(x))`, then `x + mlp(norm2(x))`.
 *
 * The layers named `<name>.attn` and `<name>.mlp` hold what is added to the stream: the taps.
 *
 * @param x Map, [batch, height, width, channels].
 * @param config The numbers.
 * @param apply How a layer is applied.
 * @returns A map of the same shape.
 */
export function swinBlock(x: SymbolicTensor, config: BlockConfig, apply: Apply): SymbolicTensor {
  const { name } = config;
  const attended = apply(layers.add({ name: `${name}.add1` }), [x, attention(x, config, apply)]);
  return apply(layers.add({ name: `${name}.add2` }), [attended, mlp(attended, config, apply)]);
}

function attention(x: SymbolicTensor, config: BlockConfig, apply: Apply): SymbolicTensor {
  const { name, channels, heads, window, shift } = config;
  const normed = apply(new LayerNorm({ name: `${name}.norm1` }), x);
  const windows = apply(new WindowPartition({ name: `${name}.attn.partition`, window, shift }), normed);
  const qkv = apply(new Linear({ name: `${name}.attn.qkv`, units: 3 * channels }), windows);
  // x, not the normed map, gives the size: it is alive until the residual add anyway
  const core = apply(new WindowAttention({ name: `${name}.attn.core`, heads, window, shift }), [qkv, x]);
  const proj = apply(new Linear({ name: `${name}.attn.proj`, units: channels }), core);
  const map = apply(new WindowReverse({ name: `${name}.attn.reverse`, window, shift }), [proj, x]);
  return apply(new DropPath({ name: `${name}.attn`, rate: config.dropPath }), map);
}

function mlp(x: SymbolicTensor, config: BlockConfig, apply: Apply): SymbolicTensor {
  const { name, channels, mlpRatio } = config;
  const normed = apply(new LayerNorm({ name: `${name}.norm2` }), x);
  const units = Math.round(mlpRatio * channels);
  const hidden = apply(new Linear({ name: `${name}.mlp.fc1`, units, activation: 'gelu' }), normed);
  const projected = apply(new Linear({ name: `${name}.mlp.fc2`, units: channels }), hidden);
  return apply(new DropPath({ name: `${name}.mlp`, rate: config.dropPath }), projected);
}
