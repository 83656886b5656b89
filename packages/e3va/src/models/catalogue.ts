import { convNeXtPresets, dinov2Presets, vitPresets } from '@e3va/backbones';
import { swinPresets, swinV2Presets } from '@e3va/swin';

/** A pretrained model that can be named in recipes and on the command line. */
export interface PretrainedModel {
  /** What it is called there. */
  name: string;
  /** What it does as it comes: a backbone alone, or a whole model. */
  task: 'backbone' | 'segmentation' | 'detection';
  /** Model id on the Hugging Face hub; undefined for weights that come with the packages. */
  hub?: string;
  /** Parameters, of the heads too where it has some. */
  parameters: number;
  /** Licence of the weights, as their model card states it. */
  licence: string;
  /** Images that it was trained on. */
  trained: string;
  /** Number of classes of a whole model. */
  classes?: number;
  /** Published figure and what it is, as `top-1 81.2`. */
  score?: string;
}

/** UPerNet on Swin as mmsegmentation trained it, converted by OpenMMLab for the hub; mIoU from mmsegmentation's tables. */
const upernets: PretrainedModel[] = [
  { name: 'upernet-swin-tiny', parameters: 59_941_862, score: 'mIoU 44.41' },
  { name: 'upernet-swin-small', parameters: 81_259_766, score: 'mIoU 47.72' },
  { name: 'upernet-swin-base', parameters: 121_415_076, score: 'mIoU 50.76' },
  { name: 'upernet-swin-large', parameters: 233_962_976 },
].map((model) => ({
  ...model,
  task: 'segmentation',
  hub: `openmmlab/${model.name}`,
  licence: 'MIT',
  trained: 'ADE20K',
  classes: 150,
}));

/** The figures of a family's preset that the catalogue shows. */
interface Preset {
  parameters: number;
  hub?: string;
  licence: string;
  trained: string;
  top1?: number;
}

function backbones(family: string, presets: Readonly<Record<string, Preset>>): PretrainedModel[] {
  return Object.entries(presets).map(([name, { parameters, hub, licence, trained, top1 }]) => ({
    name: `${family}-${name}`,
    task: 'backbone',
    ...(hub !== undefined && { hub }),
    parameters,
    licence,
    trained,
    ...(top1 !== undefined && { score: `top-1 ${top1.toFixed(1)}` }),
  }));
}

/**
 * The pretrained models that have a name: `backbone.name: swin-tiny` in a recipe, `--backbone swin-tiny` or
 * `--model upernet-swin-tiny` on the command line. Any other model id, folder or file may be named too.
 *
 * @example
 * ```ts
 * import { models } from 'e3va';
 *
 * for (const { name, parameters, licence } of models) console.log(name, parameters, licence);
 * ```
 */
export const models: readonly PretrainedModel[] = [
  ...backbones('swin', swinPresets),
  ...backbones('swin-v2', swinV2Presets),
  ...backbones('convnext', convNeXtPresets),
  ...backbones('vit', vitPresets),
  ...backbones('dinov2', dinov2Presets),
  ...upernets,
];

/** Whether the packages carry the weights of a model. */
export function isEmbedded(source: string): boolean {
  const found = named(source);
  return found !== undefined && found.hub === undefined;
}

/** Whether a name of the catalogue is that of a backbone alone. */
export function isBackbone(source: string): boolean {
  return named(source)?.task === 'backbone';
}

/** The model id behind a name of the catalogue; anything else as it is. */
export function hubIdOf(source: string): string {
  return named(source)?.hub ?? source;
}

/** Names of Swin may stand without `swin-`, as {@link loadSwin} takes them. */
function named(source: string): PretrainedModel | undefined {
  const all = Object.keys(swinPresets).includes(source) ? `swin-${source}` : source;
  return models.find(({ name }) => name === all);
}
