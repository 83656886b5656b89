import { type HubOptions, withModel } from '@e3va/hub';
import type { WeightFile, WeightsReport } from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { SwinV2Config } from '../config.ts';
import { type SwinV2Preset, swinV2Presets } from '../presets.ts';
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

/** Options of {@link loadSwinV2}; those of the hub decide where and how models are downloaded. */
export interface LoadSwinV2Options extends HubOptions {
  /** The architecture of the file; needed only if {@link swinV2ConfigOf} cannot tell it. */
  config?: SwinV2Config;
  /** Stochastic depth of the last block in training; default 0. */
  dropPath?: number;
  /** The levels to give out, ascending; default all. */
  outLevels?: readonly number[];
  /** As in {@link loadSwinV2Weights}; default true. */
  strict?: boolean;
  /** Gets what was loaded, missing and skipped. */
  onReport?: (report: WeightsReport) => void;
}

/**
 * A Swin V2 with pretrained weights, with the windows and shifts that they were trained with.
 *
 * @param source A name of {@link swinV2Presets}: downloaded once from the hub. Else a model id of the hub (`org/name`,
 * `org/name@revision`), a folder, or a file or address of one, as `openModel` of `@e3va/hub` takes it. Or files that it opened;
 * they stay open.
 * @param options Architecture, levels, stochastic depth, and where to download.
 * @returns The model of {@link swinV2} with the weights of the file; out-norms that the file lacks start as the identity.
 * @throws What {@link swinV2ConfigOf} and {@link loadSwinV2Weights} throw, and the errors of `openModel`: nothing is left behind.
 *
 * @example
 * ```ts no-run
 * import { loadSwinV2 } from '@e3va/swin';
 *
 * const model = await loadSwinV2('tiny-window8', { outLevels: [1, 2, 3] });
 * console.log(model.outputs.map((level) => level.shape)); // channels 192, 384, 768
 * ```
 */
export async function loadSwinV2(
  source: string | SwinV2Files,
  { config, dropPath, outLevels, strict, onReport, ...hub }: LoadSwinV2Options = {},
): Promise<LayersModel> {
  const own = { config, dropPath, outLevels, strict, onReport };
  if (typeof source !== 'string') return build(source, own);
  return withModel(hubIdOf(source), hub, (files) => build(files, own));
}

function hubIdOf(source: string): string {
  const presets: Readonly<Record<string, SwinV2Preset>> = swinV2Presets;
  return Object.hasOwn(presets, source) ? presets[source]!.hub : source;
}

async function build(
  { weights, config: json }: SwinV2Files,
  options: Omit<LoadSwinV2Options, keyof HubOptions>,
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
