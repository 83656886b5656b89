/** How the file's array becomes ours. */
export type Layout = 'as-is' | 'linear' | 'patch-conv';

/** Where the value of one of our weights stands in a file with Microsoft's names. */
export interface WeightSource {
  /** Name in the file, without a prefix such as `backbone.`. */
  name: string;
  layout: Layout;
}

const parts: Record<string, { suffix: string; layout: Layout }> = {
  kernel: { suffix: '.weight', layout: 'linear' },
  bias: { suffix: '.bias', layout: 'as-is' },
  gamma: { suffix: '.weight', layout: 'as-is' },
  beta: { suffix: '.bias', layout: 'as-is' },
  relative_position_bias_table: { suffix: '.relative_position_bias_table', layout: 'as-is' },
};

/**
 * Where a weight of ours comes from.
 *
 * Microsoft's names differ in three places: stages are called `layers`, norms and matrices hold `weight` and `bias`,
 * and the bias table stands in `attn` itself.
 *
 * @param weight Layer and weight, as `stages.0.blocks.1.attn.qkv/kernel`.
 * @returns Undefined if it is no weight of a Swin.
 */
export function sourceOf(weight: string): WeightSource | undefined {
  const [layer, part] = weight.split('/') as [string, string | undefined];
  const found = part === undefined ? undefined : parts[part];
  if (!found) return undefined;
  const name = layer.replace(/^stages\./, 'layers.').replace(/\.attn\.core$/, '.attn') + found.suffix;
  return { name, layout: name === 'patch_embed.proj.weight' ? 'patch-conv' : found.layout };
}

/** Whether a weight belongs to an out-norm, which classification checkpoints lack. */
export function isOutNorm(name: string): boolean {
  return /^norm\d+\./.test(name);
}

/** Whether a name of a file is a buffer, the classifier or the classifier's norm: nothing that a backbone loads. */
export function isDispensable(name: string): boolean {
  return /\.(relative_position_index|attn_mask)$|^(head|norm)\./.test(name);
}

/**
 * The prefix that all backbone weights of a file share: `backbone.` in detectors and segmenters, else nothing.
 */
export function prefixOf(names: Iterable<string>): string {
  for (const name of names) {
    if (name.endsWith('patch_embed.proj.weight')) return name.slice(0, -'patch_embed.proj.weight'.length);
  }
  return '';
}

/**
 * The file's array in our layout.
 *
 * @param data Row-major numbers of the file's shape.
 * @param layout `linear`: [out, in] becomes [in, out]. `patch-conv`: [out, 3, p, p] becomes [p * p * 3, out] with rows
 * in the order of {@link gatherPatches}: column of the patch, row of the patch, colour.
 * @param shape The file's shape.
 * @returns Shape and numbers as our layer holds them.
 */
export function toOurLayout(
  data: Float32Array,
  layout: Layout,
  shape: number[],
): { data: Float32Array; shape: number[] } {
  if (layout === 'as-is') return { data, shape };
  const [out = 1, ...rest] = shape;
  const size = data.length / out;
  const turned = new Float32Array(data.length);
  const rowOf = layout === 'linear' ? (i: number) => i : patchRow(rest);
  for (let i = 0; i < size; i++) {
    const row = rowOf(i);
    for (let o = 0; o < out; o++) turned[row * out + o] = data[o * size + i]!;
  }
  return { data: turned, shape: [size, out] };
}

/** From an index into [colours, rows, columns] to one into [columns, rows, colours]. */
function patchRow([colours = 1, rows = 1, cols = 1]: number[]): (i: number) => number {
  return (i) => {
    const colour = Math.floor(i / (rows * cols));
    const row = Math.floor(i / cols) % rows;
    return ((i % cols) * rows + row) * colours + colour;
  };
}
