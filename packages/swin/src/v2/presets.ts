import type { SwinV2Config } from './config.ts';

/** A pretrained Swin V2 as data; it is a {@link SwinV2Config} and can be given to `swinV2` as it is. */
export interface SwinV2Preset extends SwinV2Config {
  /** Parameters of the backbone with an out-norm on each of the four levels, without a classifier. */
  parameters: number;
  /** Its weights on the Hugging Face hub. */
  hub: string;
  /** Licence of the weights, as the hub states it. */
  licence: string;
  /** Images that it was trained on. */
  trained: string;
  /** Published top-1 accuracy in percent of the whole classifier on ImageNet-1k; none for ImageNet-22k alone. */
  top1?: number;
  /** Where the numbers come from. */
  source: string;
}

const source =
  'Liu et al., arXiv 2111.09883, section 4.1; model hub of github.com/microsoft/Swin-Transformer';

const sizes = {
  tiny: { embedDim: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24], parameters: 27579498 },
  small: { embedDim: 96, depths: [2, 2, 18, 2], heads: [3, 6, 12, 24], parameters: 48960762 },
  base: { embedDim: 128, depths: [2, 2, 18, 2], heads: [4, 8, 16, 32], parameters: 86895608 },
  large: { embedDim: 192, depths: [2, 2, 18, 2], heads: [6, 12, 24, 48], parameters: 195205620 },
};

/** One preset: what the official repository calls `name`, with windows of `window` tokens on images of `imageSize` pixels. */
function preset(
  size: keyof typeof sizes,
  name: string,
  window: number,
  imageSize: number,
  rest: Pick<SwinV2Preset, 'trained' | 'top1' | 'pretrainedWindows'>,
): SwinV2Preset {
  const hub = `microsoft/swinv2-${size}-patch4-${name}`;
  return { ...sizes[size], window, imageSize, hub, licence: 'Apache-2.0', source, ...rest };
}

const k1 = 'ImageNet-1k';
const k22 = 'ImageNet-22k';
/** Windows of the models pretrained at 192 × 192 pixels, where the map of the last stage has 6 tokens a side. */
const finetuned = { trained: `${k22} at 192 × 192, then ${k1}`, pretrainedWindows: [12, 12, 12, 6] };

/**
 * Pretrained Swin V2 models by size and window. `window12to16` was pretrained with windows of 12 tokens on ImageNet-22k, then
 * fine-tuned with 16. Their `imageSize` gives them the windows and shifts of their pretraining; leave it out
 * (`{ ...preset, imageSize: undefined }`) for the whole window and the shift in every stage.
 *
 * @example
 * ```ts
 * import { swinV2Presets } from '@e3va/swin';
 *
 * const { hub, parameters, top1 } = swinV2Presets['tiny-window8'];
 * console.log(hub, parameters, top1); // microsoft/swinv2-tiny-patch4-window8-256 27579498 81.8
 * ```
 */
export const swinV2Presets = {
  'tiny-window8': preset('tiny', 'window8-256', 8, 256, { trained: k1, top1: 81.8 }),
  'tiny-window16': preset('tiny', 'window16-256', 16, 256, { trained: k1, top1: 82.8 }),
  'small-window8': preset('small', 'window8-256', 8, 256, { trained: k1, top1: 83.7 }),
  'small-window16': preset('small', 'window16-256', 16, 256, { trained: k1, top1: 84.1 }),
  'base-window8': preset('base', 'window8-256', 8, 256, { trained: k1, top1: 84.2 }),
  'base-window16': preset('base', 'window16-256', 16, 256, { trained: k1, top1: 84.6 }),
  'base-window12': preset('base', 'window12-192-22k', 12, 192, { trained: k22 }),
  'base-window12to16': preset('base', 'window12to16-192to256-22kto1k-ft', 16, 256, {
    ...finetuned,
    top1: 86.2,
  }),
  'base-window12to24': preset('base', 'window12to24-192to384-22kto1k-ft', 24, 384, {
    ...finetuned,
    top1: 87.1,
  }),
  'large-window12': preset('large', 'window12-192-22k', 12, 192, { trained: k22 }),
  'large-window12to16': preset('large', 'window12to16-192to256-22kto1k-ft', 16, 256, {
    ...finetuned,
    top1: 86.9,
  }),
  'large-window12to24': preset('large', 'window12to24-192to384-22kto1k-ft', 24, 384, {
    ...finetuned,
    top1: 87.6,
  }),
} satisfies Record<string, SwinV2Preset>;

/** Names of {@link swinV2Presets}. */
export type SwinV2PresetName = keyof typeof swinV2Presets;
