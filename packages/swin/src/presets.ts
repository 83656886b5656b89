import type { SwinConfig } from './config.ts';

/** A named architecture as data; it is a {@link SwinConfig} and can be given to `swin` as it is. */
export interface SwinPreset extends SwinConfig {
  /** Parameters of the backbone with an out-norm on each of the four levels, without a classifier. */
  parameters: number;
  /** Where the numbers come from. */
  source: string;
  /** Where its pretrained weights are: a model id of the Hugging Face hub; undefined for weights that the package carries. */
  hub?: string;
  /** Licence of the weights, as their model card states it. */
  licence: string;
  /** Images that the weights were pretrained on. */
  trained: string;
  /**
   * Published top-1 accuracy on the validation images of ImageNet-1k, in per cent, at the size of pretraining; of weights
   * pretrained on ImageNet-22k after their fine-tuning on ImageNet-1k. Undefined where none was published.
   */
  top1?: number;
}

const paper =
  'Liu et al., arXiv 2103.14030, section 3.3; top-1 from the model tables of the official repository';
const licence = 'Apache-2.0';
const imagenet1k = 'ImageNet-1k';
const imagenet22k = 'ImageNet-22k';

/**
 * Architectures by name, and where their pretrained weights are: `loadSwin('tiny')` downloads them once. `nano` comes with
 * the package.
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
    licence: 'research and education only',
    trained: 'Tiny-ImageNet-200',
  },
  tiny: {
    embedDim: 96,
    depths: [2, 2, 6, 2],
    heads: [3, 6, 12, 24],
    window: 7,
    parameters: 27520698,
    source: paper,
    hub: 'microsoft/swin-tiny-patch4-window7-224',
    licence,
    trained: imagenet1k,
    top1: 81.2,
  },
  small: {
    embedDim: 96,
    depths: [2, 2, 18, 2],
    heads: [3, 6, 12, 24],
    window: 7,
    parameters: 48838602,
    source: paper,
    hub: 'microsoft/swin-small-patch4-window7-224',
    licence,
    trained: imagenet1k,
    top1: 83.2,
  },
  base: {
    embedDim: 128,
    depths: [2, 2, 18, 2],
    heads: [4, 8, 16, 32],
    window: 7,
    parameters: 86745016,
    source: paper,
    hub: 'microsoft/swin-base-patch4-window7-224-in22k',
    licence,
    trained: imagenet22k,
    top1: 85.2,
  },
  'base-window12': {
    embedDim: 128,
    depths: [2, 2, 18, 2],
    heads: [4, 8, 16, 32],
    window: 12,
    parameters: 86880376,
    source: paper,
    hub: 'microsoft/swin-base-patch4-window12-384-in22k',
    licence,
    trained: imagenet22k,
    top1: 86.4,
  },
  large: {
    embedDim: 192,
    depths: [2, 2, 18, 2],
    heads: [6, 12, 24, 48],
    window: 7,
    parameters: 194998164,
    source: paper,
    hub: 'microsoft/swin-large-patch4-window7-224-in22k',
    licence,
    trained: imagenet22k,
    top1: 86.3,
  },
  'large-window12': {
    embedDim: 192,
    depths: [2, 2, 18, 2],
    heads: [6, 12, 24, 48],
    window: 12,
    parameters: 195201204,
    source: paper,
    hub: 'microsoft/swin-large-patch4-window12-384-in22k',
    licence,
    trained: imagenet22k,
    top1: 87.3,
  },
} as const satisfies Record<string, SwinPreset>;

/** Names of {@link swinPresets}. */
export type SwinPresetName = keyof typeof swinPresets;
