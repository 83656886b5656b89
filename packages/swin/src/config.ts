import { SwinConfigError } from './errors.ts';

/** The architecture of a Swin. */
export interface SwinConfig {
  /** Channels of the first stage; each further stage has twice as many. */
  embedDim: number;
  /** Blocks of each stage. */
  depths: readonly number[];
  /** Heads of each stage. */
  heads: readonly number[];
  /** Side of an attention window in tokens. */
  window: number;
  /** Side of an embedded patch in pixels; default 4. */
  patch?: number;
  /** Hidden channels of the MLPs over those of their stage; default 4. */
  mlpRatio?: number;
  /** Stochastic depth of the last block; it grows from 0 linearly over the blocks. Default 0. */
  dropPath?: number;
  /** The levels to give out, ascending; default all. Stages behind the last one are not built. */
  outLevels?: readonly number[];
}

/** A configuration with its defaults filled in. */
export type WholeSwinConfig = Required<SwinConfig>;

/**
 * Fills in the defaults and checks that the numbers go together.
 *
 * @throws {@link SwinConfigError} that names the key.
 */
export function checkConfig(config: SwinConfig): WholeSwinConfig {
  const { embedDim, depths, heads, window, patch = 4, mlpRatio = 4, dropPath = 0 } = config;
  const channels = depths?.map((_, s) => embedDim * 2 ** s);
  const outLevels = config.outLevels ?? depths?.map((_, s) => s);
  const rules: [key: keyof SwinConfig, value: unknown, ok: () => boolean, expected: string][] = [
    ['embedDim', embedDim, () => isCount(embedDim), 'a whole number above 0'],
    ['window', window, () => isCount(window), 'a whole number above 0'],
    ['patch', patch, () => isCount(patch), 'a whole number above 0'],
    ['depths', depths, () => isCounts(depths), 'a list of whole numbers above 0, one a stage'],
    ['heads', heads, () => isCounts(heads) && heads.length === depths.length, 'one number of heads a stage'],
    [
      'heads',
      heads,
      () => heads.every((n, s) => channels[s]! % n === 0),
      `numbers that divide the channels ${channels}`,
    ],
    ['mlpRatio', mlpRatio, () => isCount(Math.round(mlpRatio * embedDim)), 'a number above 0'],
    ['dropPath', dropPath, () => dropPath >= 0 && dropPath < 1, 'a number from 0 to below 1'],
    [
      'outLevels',
      outLevels,
      () => isLevels(outLevels, depths.length),
      `ascending stages from 0 to ${depths?.length - 1}`,
    ],
  ];
  for (const [key, value, ok, expected] of rules) {
    if (ok()) continue;
    throw new SwinConfigError({
      what: `swin: '${key}' does not fit`,
      expected,
      received: JSON.stringify(value),
    });
  }
  return { embedDim, depths, heads, window, patch, mlpRatio, dropPath, outLevels };
}

function isCount(n: unknown): boolean {
  return Number.isSafeInteger(n) && (n as number) > 0;
}

function isCounts(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0 && list.every(isCount);
}

function isLevels(levels: readonly number[], stages: number): boolean {
  const ascending = levels.every((level, i) => i === 0 || level > levels[i - 1]!);
  return levels.length > 0 && ascending && levels.every((s) => Number.isInteger(s) && s >= 0 && s < stages);
}
