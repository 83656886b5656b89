import type { ConvNeXtConfig } from './convnext/config.ts';
import type { ViTConfig } from './vit/config.ts';

/** What stands beside the numbers of a named architecture. */
export interface PresetFacts {
  /** Parameters of the backbone: without classifier and pooler; for ConvNeXt with an out-norm on each of the four levels. */
  parameters: number;
  /** Where the numbers and the accuracy come from. */
  source: string;
  /** Model id of pretrained weights on the Hugging Face hub. */
  hub: string;
  /** Licence of the weights, as their model card states it. */
  licence: string;
  /** Images that the weights were trained on. */
  trained: string;
  /** Published top-1 accuracy on the validation images of ImageNet-1k, in per cent; undefined where none was published. */
  top1?: number;
}

/** A named ConvNeXt as data; it can be given to `convNeXt` as it is. */
export interface ConvNeXtPreset extends ConvNeXtConfig, PresetFacts {}

/** A named ViT as data; it can be given to `vit` as it is. */
export interface ViTPreset extends ViTConfig, PresetFacts {}

const licence = 'Apache-2.0';

const convNeXtFacts = {
  source: 'Liu et al., arXiv 2201.03545, section 3 and table 1 (trained and tested at 224 × 224)',
  licence,
  trained: 'ImageNet-1k',
} as const;

/**
 * ConvNeXts by name, and where their pretrained weights are.
 *
 * @example
 * ```ts
 * import { convNeXtPresets } from '@e3va/backbones';
 *
 * console.log(convNeXtPresets.tiny.depths, convNeXtPresets.tiny.parameters); // [3, 3, 9, 3] 27821472
 * ```
 */
export const convNeXtPresets = {
  tiny: {
    channels: [96, 192, 384, 768],
    depths: [3, 3, 9, 3],
    parameters: 27821472,
    hub: 'facebook/convnext-tiny-224',
    top1: 82.1,
    ...convNeXtFacts,
  },
  small: {
    channels: [96, 192, 384, 768],
    depths: [3, 3, 27, 3],
    parameters: 49456032,
    hub: 'facebook/convnext-small-224',
    top1: 83.1,
    ...convNeXtFacts,
  },
  base: {
    channels: [128, 256, 512, 1024],
    depths: [3, 3, 27, 3],
    parameters: 87568256,
    hub: 'facebook/convnext-base-224',
    top1: 83.8,
    ...convNeXtFacts,
  },
} as const satisfies Record<string, ConvNeXtPreset>;

const small = { channels: 384, depth: 12, heads: 6 } as const;
const base = { channels: 768, depth: 12, heads: 12 } as const;

const vitFacts = {
  patch: 16,
  grid: 14,
  epsilon: 1e-12,
  source:
    'Dosovitskiy et al., arXiv 2010.11929, table 1; small after Touvron et al., arXiv 2012.12877, table 1',
  licence,
  trained: 'ImageNet-21k, then ImageNet-1k',
} as const;

const dinoFacts = {
  patch: 14,
  grid: 37,
  layerScale: 1,
  source:
    'Oquab et al., arXiv 2304.07193, table 17; top-1 of a linear classifier on the frozen network, table 4',
  licence,
  trained: 'LVD-142M, without labels',
} as const;

/**
 * Vision Transformers trained for classification by name, and where their pretrained weights are.
 *
 * @example
 * ```ts
 * import { vitPresets } from '@e3va/backbones';
 *
 * console.log(vitPresets['small-16'].heads, vitPresets['small-16'].parameters); // 6 21665664
 * ```
 */
export const vitPresets = {
  'small-16': { ...small, ...vitFacts, parameters: 21665664, hub: 'WinKawaks/vit-small-patch16-224' },
  'base-16': { ...base, ...vitFacts, parameters: 85798656, hub: 'google/vit-base-patch16-224' },
} as const satisfies Record<string, ViTPreset>;

/**
 * Vision Transformers of DINOv2 by name, and where their pretrained weights are; they can be given to `vit` as they are.
 *
 * @example
 * ```ts
 * import { dinov2Presets } from '@e3va/backbones';
 *
 * console.log(dinov2Presets.small.patch, dinov2Presets.small.parameters); // 14 22056192
 * ```
 */
export const dinov2Presets = {
  small: { ...small, ...dinoFacts, parameters: 22056192, hub: 'facebook/dinov2-small', top1: 81.1 },
  base: { ...base, ...dinoFacts, parameters: 86579712, hub: 'facebook/dinov2-base', top1: 84.5 },
} as const satisfies Record<string, ViTPreset>;
