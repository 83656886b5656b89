import type { WholeSwinConfig } from './config.ts';

/** What the numbers of the whole network say of one block. */
export interface StageBlock {
  /** Prefix of its layers' names. */
  name: string;
  channels: number;
  heads: number;
  mlpRatio: number;
  /** Stochastic depth of its branches; it grows from 0 linearly over all blocks. */
  dropPath: number;
  /** Whether its windows are shifted: every second block's are. */
  shifted: boolean;
}

/** The blocks of stage `s`, first to last. */
export function stageBlocks(
  { embedDim, depths, heads, mlpRatio, dropPath }: Omit<WholeSwinConfig, 'window' | 'patch' | 'outLevels'>,
  s: number,
): StageBlock[] {
  const all = depths.reduce((sum, depth) => sum + depth, 0);
  const before = depths.slice(0, s).reduce((sum, depth) => sum + depth, 0);
  return Array.from({ length: depths[s]! }, (_, b) => ({
    name: `stages.${s}.blocks.${b}`,
    channels: embedDim * 2 ** s,
    heads: heads[s]!,
    mlpRatio,
    dropPath: all > 1 ? (dropPath * (before + b)) / (all - 1) : 0,
    shifted: b % 2 === 1,
  }));
}
