import type { WeightFile } from '@e3va/weight-files';
import { HeadWeightsError } from './errors.ts';

/** The heads of a segmenter in weight files: UPerNet's, and the auxiliary one. */
export type HeadPart = 'decode_head' | 'auxiliary_head';

const weightNames: Record<string, string> = {
  kernel: 'weight',
  gamma: 'weight',
  beta: 'bias',
  runningMean: 'running_mean',
  runningVariance: 'running_var',
};

/** Hugging Face's name of a weight within its head: `psp.0.norm/gamma` is `psp_modules.0.1.batch_norm.weight`. */
export function torchName({ originalName }: { originalName: string }): string {
  const [layer, weight] = originalName.split('/') as [string, string];
  const module = layer
    .replace(/^psp\.(\d+)/, 'psp_modules.$1.1')
    .replace(/^(lateral|fpn)\./, '$1_convs.')
    .replace(/\.norm$/, '.batch_norm');
  return `${module}.${weightNames[weight] ?? weight}`;
}

/** From Hugging Face's names within a head to the file's whole ones. */
export function headNaming(file: WeightFile, part: HeadPart): (name: string) => string {
  if (!hasHead(file, part)) absent(file, `${part}.classifier.weight`);
  const ofMmseg = file.entries.has(`${part}.conv_seg.weight`);
  return (name) => {
    const own = ofMmseg ? name.replace('.batch_norm.', '.bn.').replace(/^classifier\./, 'conv_seg.') : name;
    return `${part}.${own}`;
  };
}

export function hasHead({ entries }: WeightFile, part: HeadPart): boolean {
  return entries.has(`${part}.classifier.weight`) || entries.has(`${part}.conv_seg.weight`);
}

export function absent({ name, entries }: WeightFile, tensor: string): never {
  const some = [...entries.keys()].slice(0, 5).join(', ');
  throw new HeadWeightsError({
    what: `${name} holds no UPerNet, or lacks a part of it`,
    expected: `${tensor}, as Hugging Face and mmsegmentation name it (conv_seg for classifier there)`,
    received: some ? `${some}, …` : 'a file without tensors',
  });
}
