import type { SwinConfig } from './config.ts';

/** A named architecture as data; it is a {@link SwinConfig} and can be given to `swin` as it is. */
export interface SwinPreset extends SwinConfig {
  /** Parameters of the backbone with an out-norm on each of the four levels, without a classifier. */
  parameters: number;
  /** Where the numbers come from. */
  source: string;
}

const paper = 'Liu et al., arXiv 2103.14030, section 3.3';
const windowed = `${paper}; window 12 as in the 384 × 384 models of the official repository`;

/**
 * Architectures by name. `nano` is the one whose weights the package carries (`loadSwin('nano')`).
 *
 * @example
 * ```ts
 * import { swinPresets } from '@e3va/swin';
 *
 * console.log(swinPresets.tiny.depths, swinPresets.tiny.parameters); // [2, 2, 6, 2] 27520698
 * ```
 */
export const swinPresets = {
  nano: {
    embedDim: 32,
    depths: [2, 2, 4, 2],
    heads: [1, 2, 4, 8],
    window: 4,
    parameters: 2676262,
    source: 'this project; trained by weights/pretrain_swin_nano.py',
  },
  tiny: {
    embedDim: 96,
    depths: [2, 2, 6, 2],
    heads: [3, 6, 12, 24],
    window: 7,
    parameters: 27520698,
    source: paper,
  },
  small: {
    embedDim: 96,
    depths: [2, 2, 18, 2],
    heads: [3, 6, 12, 24],
    window: 7,
    parameters: 48838602,
    source: paper,
  },
  base: {
    embedDim: 128,
    depths: [2, 2, 18, 2],
    heads: [4, 8, 16, 32],
    window: 7,
    parameters: 86745016,
    source: paper,
  },
  'base-window12': {
    embedDim: 128,
    depths: [2, 2, 18, 2],
    heads: [4, 8, 16, 32],
    window: 12,
    parameters: 86880376,
    source: windowed,
  },
  large: {
    embedDim: 192,
    depths: [2, 2, 18, 2],
    heads: [6, 12, 24, 48],
    window: 7,
    parameters: 194998164,
    source: paper,
  },
  'large-window12': {
    embedDim: 192,
    depths: [2, 2, 18, 2],
    heads: [6, 12, 24, 48],
    window: 12,
    parameters: 195201204,
    source: windowed,
  },
} as const satisfies Record<string, SwinPreset>;

/** Names of {@link swinPresets}. */
export type SwinPresetName = keyof typeof swinPresets;
