import {
  asIs,
  linear,
  linears,
  reshaped,
  type WeightFile,
  type WeightSource,
  type WeightTarget,
} from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { FileNaming } from '../../weights/file-naming.ts';
import { patchMatrix } from '../../weights/layouts.ts';
import { v2NamingOf } from './namings.ts';

/**
 * The weights of a Swin V2 and where they stand in a file of any known naming.
 *
 * @param model A model of {@link swinV2}, or one that holds its layers.
 * @param file An open weight file.
 * @throws {@link SwinWeightsError} if the file holds no Swin V2.
 */
export function swinV2Targets(model: LayersModel, file: WeightFile): WeightTarget[] {
  const naming = v2NamingOf(file);
  return model.layers.flatMap((layer) =>
    layer.weights.flatMap((variable) => {
      const official = officialName(variable.originalName);
      if (official === undefined) return [];
      return [{ variable, source: sourceOf(official, naming, variable.shape as number[]) }];
    }),
  );
}

const suffixes: Record<string, string> = { kernel: 'weight', bias: 'bias', gamma: 'weight', beta: 'bias' };

/** The name of a weight in the official repository, where stages are `layers`; undefined for layers of others. */
function officialName(weight: string): string | undefined {
  const [layer, part] = weight.split('/') as [string, string | undefined];
  if (part === undefined) return undefined;
  const core = layer.replace(/\.attn\.core$/, '.attn');
  if (core !== layer) return `${core}.${part.replace(/kernel$/, 'weight')}`.replace(/^stages\./, 'layers.');
  const suffix = suffixes[part];
  if (!suffix || !/^(patch_embed|stages\.\d+|norm\d)\b/.test(layer)) return undefined;
  return `${layer.replace(/^stages\./, 'layers.')}.${suffix}`;
}

function sourceOf(official: string, { naming, nameOf }: FileNaming, shape: number[]): WeightSource {
  const name = nameOf(official);
  const matrix = shape as [number, number];
  if (official === 'patch_embed.proj.weight') return patchMatrix(name, matrix);
  if (official.endsWith('.logit_scale')) return reshaped(name, [...shape, 1, 1]);
  if (official.endsWith('.attn.qkv.weight') && naming.parts) {
    const names = naming.parts.map((part) => name.replace('.qkv.', `.${part}.`));
    return linears(names, matrix);
  }
  const source = shape.length === 2 ? linear(name, matrix) : asIs(name, shape);
  if (!/^norm\d\./.test(official)) return source;
  return { ...source, otherwise: official.endsWith('.weight') ? 1 : 0 }; // published files have none
}
