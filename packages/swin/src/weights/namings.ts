/** The libraries whose names for the weights of a Swin are known. */
export type SwinNaming = 'microsoft' | 'hugging-face' | 'timm' | 'mmdetection' | 'torchvision';

/** How a library names what the official code calls `layers.S.blocks.B.…`. */
export interface Naming {
  name: SwinNaming;
  /** Replacements that turn an official name into the library's. */
  rules: readonly [RegExp, string | ((match: string, ...groups: string[]) => string)][];
  /** Official names of this pattern do not occur; a file that has them is another library's. */
  unlike?: RegExp;
  /** What replaces `qkv` in the name where the file keeps the three matrices apart. */
  parts?: readonly [string, string, string];
  /** Whether patch merging joins the four pixels in nn.Unfold's order, channel by channel. */
  unfold?: true;
  /** Names that a backbone does without: classifiers, their norm, poolers. */
  heads: RegExp;
}

const transformers = [
  [/^patch_embed\.proj/, 'embeddings.patch_embeddings.projection'],
  [/^patch_embed\.norm/, 'embeddings.norm'],
  [/^norm\./, 'layernorm.'],
  [/^head\./, 'classifier.'],
  [/^norm(\d)\./, (_, s) => `hidden_states_norms.stage${Number(s) + 1}.`],
  [/^layers\./, 'encoder.layers.'],
  [/\.norm1\./, '.layernorm_before.'],
  [/\.norm2\./, '.layernorm_after.'],
] satisfies Naming['rules'];

/**
 * The namings, in the order in which they are tried.
 *
 * Sources: the official repository (detection and segmentation too); transformers up to 4.57 and its files on the hub;
 * transformers 5, whose modules are named anew; timm from 0.9 on, whose downsampling opens the next stage; mmdetection
 * and mmsegmentation from 2.x on; torchvision 0.13 and later.
 */
export const namings: readonly Naming[] = [
  {
    name: 'hugging-face',
    rules: [
      ...transformers,
      [/\.attn\.(relative|qkv)/, '.attention.self.$1'],
      [/\.attn\.proj\./, '.attention.output.dense.'],
      [/\.mlp\.fc1\./, '.intermediate.dense.'],
      [/\.mlp\.fc2\./, '.output.dense.'],
    ],
    parts: ['query', 'key', 'value'],
    heads: /^(layernorm|pooler|classifier|decoder)\b/,
  },
  {
    name: 'hugging-face',
    rules: [
      ...transformers,
      [/\.attn\.relative/, '.attention.relative_position_bias.relative'],
      [/\.attn\.qkv\./, '.attention.qkv.'],
      [/\.attn\.proj\./, '.attention.o_proj.'],
    ],
    parts: ['q_proj', 'k_proj', 'v_proj'],
    heads: /^(layernorm|pooler|classifier|decoder)\b/,
  },
  {
    name: 'mmdetection',
    rules: [
      [/^patch_embed\.proj/, 'patch_embed.projection'],
      [/^layers\./, 'stages.'],
      [/\.attn\./, '.attn.w_msa.'],
      [/\.mlp\.fc1\./, '.ffn.layers.0.0.'],
      [/\.mlp\.fc2\./, '.ffn.layers.1.'],
    ],
    unfold: true,
    heads: /^(head|norm|fc)\./,
  },
  {
    name: 'torchvision',
    rules: [
      [/^patch_embed\.proj/, 'features.0.0'],
      [/^patch_embed\.norm/, 'features.0.2'],
      [/^layers\.(\d+)\.blocks/, (_, s) => `features.${2 * Number(s) + 1}`],
      [/^layers\.(\d+)\.downsample/, (_, s) => `features.${2 * Number(s) + 2}`],
      [/\.mlp\.fc1\./, '.mlp.0.'],
      [/\.mlp\.fc2\./, '.mlp.3.'],
    ],
    heads: /^(head|norm)\./,
  },
  {
    name: 'timm',
    rules: [
      [/^layers\.(\d+)\.downsample/, (_, s) => `layers.${Number(s) + 1}.downsample`],
      [/^head\./, 'head.fc.'],
    ],
    unlike: /(^|\.)layers\.0\.downsample\./,
    heads: /^(head|norm)\./,
  },
  { name: 'microsoft', rules: [], heads: /^(head|norm)\./ },
];

/** The library's name for an official one. */
export function renamed(name: string, { rules }: Pick<Naming, 'rules'>): string {
  return rules.reduce((text, [pattern, by]) => text.replace(pattern, by as string), name);
}
