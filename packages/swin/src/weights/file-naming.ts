import type { WeightFile } from '@e3va/weight-files';
import { SwinWeightsError } from '../errors.ts';
import { type Naming, namings, renamed } from './namings.ts';

/** How one file names the weights of its Swin: the library's naming, behind a prefix. */
export interface FileNaming {
  naming: Naming;
  /** What stands before all names of the backbone: `backbone.`, `swin.` or nothing. */
  prefix: string;
  /** The file's name for an official one. */
  nameOf: (official: string) => string;
}

const firstBlock = 'layers.0.blocks.0.norm1.weight';

/** A weight of the attention of Swin V2. */
const v2Scale = /\.(attn|self)\.logit_scale$/;

/**
 * Recognises the naming of a file by its keys.
 *
 * @throws {@link SwinWeightsError} if the file holds no Swin of a known naming, or a Swin V2.
 */
export function namingOf(file: WeightFile): FileNaming {
  const found = findNaming(file, namings, 'layers.0.blocks.0.attn.relative_position_bias_table');
  const isV2 = [...file.entries.keys()].some((name) => v2Scale.test(name));
  if (!found || isV2) throw notSwin(file, isV2);
  return found;
}

/** The first of the namings under which a file has the patch embedding, the first block and a witness (an official name). */
export function findNaming(
  file: WeightFile,
  known: readonly Naming[],
  witness: string,
): FileNaming | undefined {
  const names = [...file.entries.keys()];
  const found = known.flatMap((naming) => matches(file, names, naming, witness)).at(0);
  if (!found) return undefined;
  const { naming, prefix } = found;
  return {
    naming,
    prefix,
    nameOf: (official) => prefixFor(file, naming, prefix, official) + renamed(official, naming),
  };
}

/** The naming and its prefix, if the file has the patch embedding, the first block and the witness under these names. */
function matches(file: WeightFile, names: readonly string[], naming: Naming, witness: string) {
  if (naming.unlike && names.some((name) => naming.unlike!.test(name))) return [];
  const patch = renamed('patch_embed.proj.weight', naming);
  return names
    .filter((name) => name === patch || name.endsWith(`.${patch}`))
    .map((name) => name.slice(0, -patch.length))
    .filter((prefix) =>
      [firstBlock, witness].every((name) => file.entries.has(prefix + renamed(name, naming))),
    )
    .map((prefix) => ({ naming, prefix }));
}

/** Out-norms and classifiers of transformers may stand beside `swin.`, not in it. */
function prefixFor({ entries }: WeightFile, naming: Naming, prefix: string, official: string): string {
  if (!/^(norm\d|head)\./.test(official) || !prefix.endsWith('swin.')) return prefix;
  const outside = prefix.slice(0, -'swin.'.length);
  return entries.has(outside + renamed(official, naming)) ? outside : prefix;
}

function notSwin({ name, entries }: WeightFile, isV2: boolean): SwinWeightsError {
  if (isV2) {
    return new SwinWeightsError({
      what: `${name} holds a Swin V2, which has other layers`,
      received: [...entries.keys()].find((key) => v2Scale.test(key))!,
      fix: 'use loadSwinV2 and swinV2',
    });
  }
  const some = [...entries.keys()].slice(0, 5).join(', ');
  return new SwinWeightsError({
    what: `${name} holds no Swin whose names are known`,
    expected: `the names of ${[...new Set(namings.map((naming) => naming.name))].join(', ')}`,
    received: some ? `${some}, …` : 'a file without tensors',
    fix: 'rename the weights to the names of the official repository, patch_embed.proj.weight and so on',
  });
}
