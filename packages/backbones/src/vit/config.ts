import { checkRules, isCount, isLevels } from '../rules.ts';

/** The architecture of a Vision Transformer. */
export interface ViTConfig {
  /** Channels of every token. */
  channels: number;
  /** Number of blocks. */
  depth: number;
  /** Attention heads of each block; they divide the channels. */
  heads: number;
  /** Side of an embedded patch in pixels. */
  patch: number;
  /** Side of the grid of patches that the positions are for: image size of the pretraining over `patch`. */
  grid: number;
  /** Hidden channels of the MLPs over those of the tokens; default 4. */
  mlpRatio?: number;
  /** What the factors on the branches start as (DINOv2); 0, the default, for a network without them. */
  layerScale?: number;
  /** Register tokens beside the class token; default 0. */
  registers?: number;
  /** Whether positions are resized with antialiasing, as transformers does for DINOv2 with registers; default false. */
  antialias?: boolean;
  /** Added to the variance in every norm; default 1e-6. */
  epsilon?: number;
  /** Stochastic depth of the last block; it grows from 0 linearly over the blocks. Default 0. */
  dropPath?: number;
  /**
   * What is given out. `'resample'`, the default: the last map at strides 4, 8, 16 and 32, without weights of its own.
   * `'simple'`: ViTDet's simple feature pyramid at these strides, whose layers start from random weights and must be trained.
   * `'none'`: the maps of `outBlocks` at the stride of the patches.
   */
  pyramid?: 'resample' | 'simple' | 'none';
  /** For `pyramid: 'none'`, the blocks whose maps are given out, ascending from 0; default the last. */
  outBlocks?: readonly number[];
  /** Channels of the simple feature pyramid; default 256. */
  pyramidChannels?: number;
  /** Seed of the simple feature pyramid's initial weights, so that a base is the same at every start; default 1. */
  seed?: number;
}

/** A configuration with its defaults filled in. */
export type WholeViTConfig = Required<ViTConfig>;

const defaults = {
  mlpRatio: 4,
  layerScale: 0,
  registers: 0,
  antialias: false,
  epsilon: 1e-6,
  dropPath: 0,
  pyramid: 'resample',
  pyramidChannels: 256,
  seed: 1,
} as const;

/**
 * Fills in the defaults and checks that the numbers go together.
 *
 * @throws BackboneConfigError that names the key.
 */
export function checkViT(config: ViTConfig): WholeViTConfig {
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  const { depth, channels } = config;
  const whole: WholeViTConfig = { ...defaults, outBlocks: [depth - 1], ...(given as unknown as ViTConfig) };
  const count = [isCount, 'a whole number above 0'] as const;
  const factor = [(n: unknown) => typeof n === 'number' && n >= 0, 'a number from 0'] as const;
  checkRules('vit', whole, {
    channels: [...count],
    depth: [...count],
    heads: [(n) => isCount(n) && channels % n === 0, `a number that divides the ${channels} channels`],
    patch: [...count],
    grid: [...count],
    mlpRatio: [(n) => isCount(Math.round((n as number) * channels)), 'a number above 0'],
    layerScale: [...factor],
    registers: [(n) => n === 0 || isCount(n), 'a whole number from 0'],
    epsilon: [...factor],
    dropPath: [(n) => typeof n === 'number' && n >= 0 && n < 1, 'a number from 0 to below 1'],
    pyramid: [(name) => ['resample', 'simple', 'none'].includes(name as string), 'resample, simple or none'],
    outBlocks: [(list) => isOutBlocks(list, whole), outBlocksExpected(whole)],
    pyramidChannels: [...count],
    seed: [...count],
  });
  return whole;
}

function isOutBlocks(list: unknown, { depth, pyramid }: WholeViTConfig): boolean {
  if (pyramid !== 'none') return String(list) === String(depth - 1);
  return isLevels(list, depth);
}

function outBlocksExpected({ depth, pyramid }: WholeViTConfig): string {
  return pyramid === 'none' ? `ascending blocks from 0 to ${depth - 1}` : "pyramid 'none' to give out blocks";
}
