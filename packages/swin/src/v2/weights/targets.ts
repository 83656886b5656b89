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
import { officialName } from '../../weights/targets.ts';
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
