import type { WeightFile } from '@e3va/weight-files';
import type { SwinConfig } from '../config.ts';
import { SwinWeightsError } from '../errors.ts';
import { type FileNaming, namingOf } from './file-naming.ts';

/**
 * The architecture of the Swin in a weight file, told by the names and shapes of its tensors: no configuration is needed.
 *
 * @param file An open weight file in any of the namings that {@link loadSwinWeights} knows.
 * @throws {@link SwinWeightsError} if the file holds no Swin, or its shapes contradict each other.
 *
 * @example
 * ```ts no-run
 * import { swin, swinConfigOf } from '@e3va/swin';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const file = await openWeights('swin_tiny_patch4_window7_224.pth');
 * console.log(swinConfigOf(file)); // { embedDim: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24], window: 7, … }
 * ```
 */
export function swinConfigOf(file: WeightFile): SwinConfig {
  const naming = namingOf(file);
  const shape = (official: string) => shapeOf(file, naming, official);
  const depths: number[] = [];
  for (let s = 0; has(file, naming, `layers.${s}.blocks.0.norm1.weight`); s++) {
    let blocks = 1;
    while (has(file, naming, `layers.${s}.blocks.${blocks}.norm1.weight`)) blocks++;
    depths.push(blocks);
  }
  const tables = depths.map((_, s) => shape(`layers.${s}.blocks.0.attn.relative_position_bias_table`));
  const [embedDim = 0, , patch = 0] = shape('patch_embed.proj.weight');
  const span = Math.sqrt(tables[0]![0]!);
  if (span % 2 !== 1 || depths.length === 0) {
    throw new SwinWeightsError({
      what: `${file.name}: a position table of no square window`,
      expected: '(2 window - 1)² rows',
      received: `${tables[0]![0]} rows`,
    });
  }
  const [hidden = 0] = shape('layers.0.blocks.0.mlp.fc1.bias');
  return {
    embedDim,
    depths,
    heads: tables.map(([, heads = 0]) => heads),
    window: (span + 1) / 2,
    patch,
    mlpRatio: hidden / embedDim,
  };
}

function has(file: WeightFile, { nameOf }: FileNaming, official: string): boolean {
  return file.entries.has(nameOf(official));
}

function shapeOf(file: WeightFile, { nameOf }: FileNaming, official: string): readonly number[] {
  const entry = file.entries.get(nameOf(official));
  if (entry) return entry.shape;
  throw new SwinWeightsError({
    what: `${file.name} lacks a weight that tells the architecture`,
    expected: nameOf(official),
  });
}
