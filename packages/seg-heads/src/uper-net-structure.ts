import type { WeightFile } from '@e3va/weight-files';
import { HeadWeightsError } from './errors.ts';
import { absent, hasHead, headNaming } from './head-names.ts';

/** What the shapes of a file tell of its UPerNet. */
export interface UperNetStructure {
  /** Number of classes. */
  classes: number;
  /** Width of the head. */
  channels: number;
  /** Sides of the pooled maps; their number is the file's. */
  poolScales: number[];
  /** Channels of the levels that it reads, finest first. */
  levels: number[];
  /** The auxiliary head, where the file has one: the index of its level among them, its width and convolutions. */
  aux?: { level: number; channels: number; convs: number };
}

/**
 * The structure of the UPerNet in a weight file, as {@link uperNet} and {@link fcnHead} take it.
 *
 * @param file An open weight file with the names of Hugging Face or mmsegmentation.
 * @param config The `config.json` of Hugging Face, for `pool_scales`; without it 1, 2, 3 and 6 if there are four.
 * @throws {@link HeadWeightsError} if the file holds no UPerNet.
 *
 * @example
 * ```ts no-run
 * import { uperNetOptionsOf } from '@e3va/seg-heads';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const { classes, channels } = uperNetOptionsOf(await openWeights('upernet_swin_tiny.pth'));
 * console.log(classes, channels); // 150 512
 * ```
 */
export function uperNetOptionsOf(file: WeightFile, config: Record<string, unknown> = {}): UperNetStructure {
  const decode = headNaming(file, 'decode_head');
  const shape = (name: string) => file.entries.get(name)?.shape ?? absent(file, name);
  const count = (name: (i: number) => string) => {
    let i = 0;
    while (file.entries.has(name(i))) i++;
    return i;
  };
  const [classes = 0, channels = 0] = shape(decode('classifier.weight'));
  const pools = count((i) => decode(`psp_modules.${i}.1.conv.weight`));
  const laterals = count((i) => decode(`lateral_convs.${i}.conv.weight`));
  const bottleneck = shape(decode('bottleneck.conv.weight'))[1]!;
  const levels = Array.from(
    { length: laterals },
    (_, i) => shape(decode(`lateral_convs.${i}.conv.weight`))[1]!,
  );
  levels.push(bottleneck - pools * channels);
  const structure = { classes, channels, poolScales: poolScalesOf(config, pools, file), levels };
  return hasHead(file, 'auxiliary_head') ? { ...structure, aux: auxOf(file, levels) } : structure;
}

function auxOf(file: WeightFile, levels: readonly number[]): NonNullable<UperNetStructure['aux']> {
  const rename = headNaming(file, 'auxiliary_head');
  const shape = (name: string) => file.entries.get(rename(name))?.shape;
  let convs = 0;
  while (shape(`convs.${convs}.conv.weight`)) convs++;
  const [, channels = 0] = shape('classifier.weight')!;
  const reads = shape('convs.0.conv.weight')?.[1] ?? channels;
  return { level: levels.indexOf(reads), channels, convs };
}

function poolScalesOf(
  { pool_scales: told }: Record<string, unknown>,
  pools: number,
  file: WeightFile,
): number[] {
  if (Array.isArray(told) && told.length === pools && told.every((n) => Number.isSafeInteger(n) && n > 0))
    return told;
  if (told === undefined && pools === 4) return [1, 2, 3, 6];
  throw new HeadWeightsError({
    what: `${file.name}: nothing tells the sides of the pooled maps`,
    expected: `pool_scales in config.json: ${pools} whole numbers above 0`,
    received: JSON.stringify(told) ?? 'none',
  });
}
