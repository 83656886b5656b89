import type { LoadWeightsOptions, WeightFile, WeightsReport } from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { SwinV2Config } from '../config.ts';
import { blankSwinV2 } from '../swin-v2.ts';
import { loadSwinV2Weights } from './assign.ts';
import { swinV2ConfigOf } from './config-of.ts';

/** The files of a pretrained Swin V2, opened: what `openModel` of `@e3va/hub` gives. */
export interface SwinV2Files {
  /** The open weight file; it stays open. */
  weights: WeightFile;
  /** The contents of config.json, if there is one. */
  config?: Record<string, unknown> | undefined;
}

/** Options of {@link loadSwinV2}. */
export interface LoadSwinV2Options extends Pick<LoadWeightsOptions, 'strict'> {
  /** The architecture of the file; needed only if {@link swinV2ConfigOf} cannot tell it. */
  config?: SwinV2Config;
  /** Stochastic depth of the last block in training; default 0. */
  dropPath?: number;
  /** The levels to give out, ascending; default all. */
  outLevels?: readonly number[];
  /** Is shown what was loaded, missing and skipped. */
  onReport?: (report: WeightsReport) => void;
}

/**
 * A Swin V2 with pretrained weights, with the windows and shifts that they were trained with.
 *
 * @param files Weights of transformers, timm or the official repository, and their configuration file.
 * @param options Architecture, levels and stochastic depth.
 * @returns The model of {@link swinV2} with the weights of the file; out-norms that the file lacks start as the identity.
 * @throws What {@link swinV2ConfigOf} and {@link loadSwinV2Weights} throw.
 *
 * @example
 * ```ts no-run
 * import { openModel } from '@e3va/hub';
 * import { loadSwinV2, swinV2Presets } from '@e3va/swin';
 *
 * const files = await openModel(swinV2Presets['tiny-window8'].hub);
 * const model = await loadSwinV2(files, { outLevels: [1, 2, 3] });
 * await files.close();
 * console.log(model.outputs.map((level) => level.shape)); // channels 192, 384, 768
 * ```
 */
export async function loadSwinV2(
  { weights, config: json }: SwinV2Files,
  options: LoadSwinV2Options = {},
): Promise<LayersModel> {
  const config = options.config ?? (await swinV2ConfigOf(weights, json));
  const { dropPath = config.dropPath, outLevels = config.outLevels, strict } = options;
  const model = blankSwinV2({ ...config, dropPath, outLevels });
  try {
    const report = await loadSwinV2Weights(model, weights, { strict, fresh: true });
    options.onReport?.(report);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}
