import type { WeightFile } from '@e3va/weight-files';
import { SwinWeightsError } from '../../errors.ts';
import { type FileNaming, findNaming } from '../../weights/file-naming.ts';
import { type Naming, namings } from '../../weights/namings.ts';

/** What transformers (4 and 5 alike) call the weights that Swin V2 has beside those of Swin. */
const transformersRules: Naming['rules'] = [
  [/\.attn\.q_bias$/, '.attention.self.query.bias'],
  [/\.attn\.v_bias$/, '.attention.self.value.bias'],
  [/\.attn\.logit_scale$/, '.attention.self.logit_scale'],
  [/\.attn\.cpb_mlp\./, '.attention.self.continuous_position_bias_mlp.'],
];

/** The namings of Swin V2, told from official names such as `layers.0.blocks.0.attn.logit_scale`, in the order they are tried. */
const v2Namings: readonly Naming[] = [
  ...namings
    .filter(({ parts }) => parts?.[0] === 'query')
    .map((naming) => ({ ...naming, rules: [...transformersRules, ...naming.rules] })),
  ...namings.filter(({ name }) => name === 'timm' || name === 'microsoft'),
];

/**
 * Recognises the naming of a Swin V2 by the keys of its file.
 *
 * @throws {@link SwinWeightsError} if the file holds none, or an older Swin.
 */
export function v2NamingOf(file: WeightFile): FileNaming {
  const found = findNaming(file, v2Namings, 'layers.0.blocks.0.attn.cpb_mlp.2.weight');
  if (found) return found;
  const names = [...file.entries.keys()];
  const older = names.find((name) => name.endsWith('.relative_position_bias_table'));
  throw new SwinWeightsError({
    what: `${file.name} holds no Swin V2 whose names are known`,
    expected: 'the names of transformers, timm (swinv2_…) or the official repository',
    received: older ?? (names.length > 0 ? `${names.slice(0, 5).join(', ')}, …` : 'a file without tensors'),
    fix: older
      ? 'a table of positions is that of the first Swin: use loadSwin and swin'
      : 'rename the weights to those of the official repository: patch_embed.proj.weight, layers.0.blocks.0.attn.logit_scale',
  });
}
