import {
  asIs,
  linear,
  linears,
  vectors,
  type WeightFile,
  type WeightSource,
  type WeightTarget,
} from '@e3va/weight-files';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { type FileNaming, namingOf } from './file-naming.ts';
import { mergedMatrix, mergedVector, patchMatrix } from './layouts.ts';
import { tableResize } from './resize-table.ts';

/** Weights of a Swin and where they stand in a file of any known naming. */
export function swinTargets(model: LayersModel, file: WeightFile): WeightTarget[] {
  const naming = namingOf(file);
  return model.layers.flatMap((layer) =>
    layer.weights.flatMap((variable) => {
      const source = sourceOf(variable, naming);
      return source ? [{ variable, source }] : [];
    }),
  );
}

const suffixes: Record<string, string> = { kernel: 'weight', bias: 'bias', gamma: 'weight', beta: 'bias' };

/** The official name of a weight: stages are called `layers` there. Undefined for layers that are no Swin's. */
export function officialName(weight: string): string | undefined {
  const [layer, part] = weight.split('/') as [string, string | undefined];
  if (part === undefined || !/^((patch_embed|stages\.\d+)\.|(norm\d*|head)$)/.test(layer)) return undefined;
  const module = layer.replace(/^stages\./, 'layers.');
  // what attention keeps beside its matrices stands in `attn` itself
  if (module.endsWith('.attn.core'))
    return `${module.replace(/core$/, '')}${part.replace(/kernel$/, 'weight')}`;
  const suffix = suffixes[part];
  return suffix && `${module}.${suffix}`;
}

function sourceOf({ originalName, shape }: LayerVariable, naming: FileNaming): WeightSource | undefined {
  const official = officialName(originalName);
  if (official === undefined) return undefined;
  const source = plainSource(official, naming, shape as number[]);
  if (!/^norm\d\./.test(official)) return source;
  return { ...source, otherwise: official.endsWith('.weight') ? 1 : 0 }; // classification checkpoints have none
}

function plainSource(official: string, { naming, nameOf }: FileNaming, shape: number[]): WeightSource {
  const name = nameOf(official);
  const matrix = shape as [number, number];
  if (/\.attn\.qkv\./.test(official) && naming.parts) {
    const names = naming.parts.map((part) => name.replace('.qkv.', `.${part}.`));
    return shape.length === 1 ? vectors(names, shape[0]!) : linears(names, matrix);
  }
  if (official === 'patch_embed.proj.weight') return patchMatrix(name, matrix);
  if (naming.unfold && /\.downsample\./.test(official)) {
    return shape.length === 1 ? mergedVector(name, shape[0]!) : mergedMatrix(name, matrix);
  }
  if (official.endsWith('_table'))
    return { ...asIs(name, shape), resize: tableResize((Math.sqrt(shape[0]!) + 1) / 2, shape[1]!) };
  return shape.length === 2 ? linear(name, matrix) : asIs(name, shape);
}
