import { checkRules, isCount, isCounts, isLevels } from '../rules.ts';

/** The architecture of a ConvNeXt. */
export interface ConvNeXtConfig {
  /** Channels of each stage. */
  channels: readonly number[];
  /** Blocks of each stage. */
  depths: readonly number[];
  /** Side of an embedded patch in pixels; default 4. */
  patch?: number;
  /** What the factors on the branches start as; 0 for a network without them. Default 1e-6. */
  layerScale?: number;
  /** Stochastic depth of the last block; it grows from 0 linearly over the blocks. Default 0. */
  dropPath?: number;
  /** The levels to give out, ascending; default all. Stages behind the last one are not built. */
  outLevels?: readonly number[];
}

/** A configuration with its defaults filled in. */
export type WholeConvNeXtConfig = Required<ConvNeXtConfig>;

/**
 * Fills in the defaults and checks that the numbers go together.
 *
 * @throws {@link BackboneConfigError} that names the key.
 */
export function checkConvNeXt(config: ConvNeXtConfig): WholeConvNeXtConfig {
  const { channels, depths, patch = 4, layerScale = 1e-6, dropPath = 0 } = config;
  const outLevels = config.outLevels ?? depths?.map((_, s) => s);
  const whole = { channels, depths, patch, layerScale, dropPath, outLevels };
  checkRules('convNeXt', whole, {
    depths: [isCounts, 'a list of whole numbers above 0, one a stage'],
    channels: [
      (list) => isCounts(list) && list.length === depths.length,
      'a list of whole numbers above 0, one a stage',
    ],
    patch: [isCount, 'a whole number above 0'],
    layerScale: [(n) => typeof n === 'number' && n >= 0, 'a number from 0'],
    dropPath: [(n) => typeof n === 'number' && n >= 0 && n < 1, 'a number from 0 to below 1'],
    outLevels: [
      (list) => isLevels(list, depths.length),
      `ascending stages from 0 to ${(depths?.length ?? 0) - 1}`,
    ],
  });
  return whole;
}
