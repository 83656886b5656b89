import { Conv } from '@e3va/head-layers';
import { LayerNorm } from '@e3va/swin';
import { layers, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { Gelu } from '../layers/gelu.ts';
import { drawn } from '../layers/layer.ts';
import { UpConv } from '../layers/up-conv.ts';

/** Options of {@link simpleFeaturePyramid}. */
export interface SimpleFeaturePyramidOptions {
  /** Channels of every level; default 256. */
  channels?: number;
  /** Seed of the initial weights; default 1. */
  seed?: number;
}

/** The names of the layers of {@link simpleFeaturePyramid}: `e3va({ alsoTrain: pyramidLayers })` trains them. */
export const pyramidLayers = /^(pyramid\.|level\d$)/;

const epsilon = 1e-6;

/**
 * ViTDet's simple feature pyramid: four levels from one map, at 4, 2, 1 and 1/2 times its size.
 *
 * Up by transposed convolutions (4 times: two of them with a norm and GELU between), down by max pooling; then for each level a
 * convolution of 1 × 1, a norm, a convolution of 3 × 3, a norm. Names: `pyramid.S.up0|upnorm|gelu|up1|pool`,
 * `pyramid.S.lateral|norm|conv`, and `levelS` for the last norm. There are no pretrained weights for it: it starts from random ones,
 * the same for the same seed, and has to be trained.
 *
 * Source: Li et al., arXiv 2203.16527, section 3 and appendix A.2.
 *
 * @param map [batch, height, width, C], of stride 16.
 * @returns Symbolic maps of strides 4, 8, 16 and 32, [batch, …, channels] each; the last one's sides are rounded up.
 *
 * @example
 * ```ts
 * import { input } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { simpleFeaturePyramid } from '@e3va/backbones';
 *
 * const map = input({ shape: [14, 14, 32] });
 * console.log(simpleFeaturePyramid(map, { channels: 8 }).map(({ shape }) => shape)); // 56, 28, 14 and 7 a side
 * ```
 */
export function simpleFeaturePyramid(
  map: SymbolicTensor,
  { channels = 256, seed = 1 }: SimpleFeaturePyramidOptions = {},
): SymbolicTensor[] {
  return [0, 1, 2, 3].map((s) => {
    const name = `pyramid.${s}`;
    const start = 10_000 * seed + 1000 * s;
    const conv = { filters: channels, useBias: false };
    const scaled = rescaled(map, s, name, start);
    const lateral = drawn(new Conv({ ...conv, name: `${name}.lateral`, seed: start + 3 }), scaled);
    const normed = drawn(new LayerNorm({ name: `${name}.norm`, epsilon }), lateral);
    const mixed = drawn(new Conv({ ...conv, name: `${name}.conv`, kernelSize: 3, seed: start + 4 }), normed);
    return drawn(new LayerNorm({ name: `level${s}`, epsilon }), mixed);
  });
}

/** The map at 4, 2, 1 or 1/2 times its size, for s from 0. */
function rescaled(map: SymbolicTensor, s: number, name: string, seed: number): SymbolicTensor {
  if (s === 2) return map;
  if (s === 3) {
    const pool = layers.maxPooling2d({ name: `${name}.pool`, poolSize: 2, strides: 2, padding: 'same' });
    return drawn(pool, map);
  }
  const filters = Math.ceil(map.shape[3]! / 2);
  const up = drawn(new UpConv({ name: `${name}.up0`, filters, seed: seed + 1 }), map);
  if (s === 1) return up;
  const normed = drawn(new LayerNorm({ name: `${name}.upnorm`, epsilon }), up);
  const bent = drawn(new Gelu({ name: `${name}.gelu` }), normed);
  return drawn(new UpConv({ name: `${name}.up1`, filters: Math.ceil(filters / 2), seed: seed + 2 }), bent);
}
