/** A layer of ours that holds the weights of one module of another library. */
export interface MappedLayer {
  /** Name of the layer. */
  layer: string;
  /** Which of the projections that stand side by side in the layer the module is: queries 0, keys 1, values 2. */
  part?: number;
}

const inBlock: [RegExp, string][] = [
  [/^attention\.(self\.query|q_proj)$/, 'attn.qkv 0'],
  [/^attention\.(self\.key|k_proj)$/, 'attn.qkv 1'],
  [/^attention\.(self\.value|v_proj)$/, 'attn.qkv 2'],
  [/^attention\.(output\.dense|o_proj)$/, 'attn.proj'],
  [/^(intermediate\.dense|mlp\.fc1)$/, 'mlp.fc1'],
  [/^(output\.dense|mlp\.fc2)$/, 'mlp.fc2'],
];

/**
 * The layer of {@link swin} that holds a linear module of a Swin of Hugging Face's transformers: for PEFT's LoRA files.
 * Knows the names of transformers 4 (`attention.self.query`) and 5 (`attention.q_proj`).
 *
 * @param module Path of the module, as `encoder.layers.0.blocks.1.attention.self.query`, behind any prefix such as
 * `swin.`.
 * @returns Undefined if the module is none of a block's and of patch merging's matrices.
 *
 * @example
 * ```ts
 * import { huggingFaceLayer } from '@e3va/swin';
 *
 * console.log(huggingFaceLayer('swin.encoder.layers.2.blocks.5.attention.self.value'));
 * // { layer: 'stages.2.blocks.5.attn.qkv', part: 2 }
 * ```
 */
export function huggingFaceLayer(module: string): MappedLayer | undefined {
  const reduction = /(?:^|\.)encoder\.layers\.(\d+)\.downsample\.reduction$/.exec(module);
  if (reduction) return { layer: `stages.${reduction[1]}.downsample.reduction` };
  const block = /(?:^|\.)encoder\.layers\.(\d+)\.blocks\.(\d+)\.(.+)$/.exec(module);
  const found = block && inBlock.find(([pattern]) => pattern.test(block[3]!));
  if (!found) return undefined;
  const [name, part] = found[1].split(' ') as [string, string?];
  const layer = `stages.${block[1]}.blocks.${block[2]}.${name}`;
  return part === undefined ? { layer } : { layer, part: Number(part) };
}
