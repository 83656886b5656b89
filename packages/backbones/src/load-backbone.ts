import { type OpenModelOptions, withModel } from '@e3va/hub';
import type { WeightFile, WeightsReport } from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { blankConvNeXt } from './convnext/convnext.ts';
import { convNeXtConfigOf, isConvNeXt, loadConvNeXtWeights } from './convnext/weights.ts';
import { BackboneWeightsError } from './errors.ts';
import { convNeXtPresets, dinov2Presets, vitPresets } from './presets.ts';
import type { ViTConfig } from './vit/config.ts';
import { blankViT } from './vit/vit.ts';
import { isViT, loadViTWeights, vitConfigOf } from './vit/weights.ts';

/** Open files of a pretrained model: what `openModel` of `@e3va/hub` gives, or a weight file alone. */
export interface BackboneFiles {
  /** The open weight file; it stays open. */
  weights: WeightFile;
  /** What stands in config.json: heads and epsilon of a ViT, which shapes do not tell. */
  config?: Record<string, unknown> | undefined;
}

/** Options of {@link loadBackbone}; those of the hub decide where and how models are downloaded. */
export interface LoadBackboneOptions extends OpenModelOptions {
  /** Of a ViT, what is given out, as in {@link ViTConfig}; default `'resample'`. */
  pyramid?: ViTConfig['pyramid'];
  /** Of a ViT with `pyramid: 'simple'`, the channels of its levels; default 256. */
  pyramidChannels?: number;
  /** Of a ViT with `pyramid: 'simple'`, the seed of its initial weights; default 1. */
  seed?: number;
  /** Of a ViT with `pyramid: 'none'`, the blocks to give out, ascending; default the last. */
  outBlocks?: readonly number[];
  /** Of a ConvNeXt, the levels to give out, ascending; default all. */
  outLevels?: readonly number[];
  /** Stochastic depth of the last block in training; default 0. */
  dropPath?: number;
  /** Whether a missing, misshapen or homeless weight is an error; default true. */
  strict?: boolean;
  /** Gets what was loaded, resized, missing and skipped. */
  onReport?: (report: WeightsReport) => void;
}

/**
 * A ConvNeXt, ViT or DINOv2 with pretrained weights; the names in the file tell which, its shapes the architecture.
 *
 * @param source A family and a name of its presets, as `convnext-tiny`, `vit-small-16` or `dinov2-base`: downloaded once from the
 * hub. Else a model id of the hub (`org/name`, `org/name@revision`), a folder, or a weight file, as `openModel` takes them. Or open
 * files; they stay open.
 * @param options What is given out, how strict loading is, and where to download.
 * @returns The model of {@link convNeXt} or {@link vit} with the weights of the file.
 * @throws {@link BackboneWeightsError} if the file holds none of them; {@link BackboneConfigError} if its architecture is not
 * supported; WeightsMismatchError if it does not fit; the errors of `openModel`: nothing is left behind.
 *
 * @example
 * ```ts no-run
 * import { loadBackbone } from '@e3va/backbones';
 *
 * const model = await loadBackbone('dinov2-small');
 * console.log(model.outputs.map((level) => level.shape)); // four levels of 384 channels
 * ```
 */
export async function loadBackbone(
  source: string | BackboneFiles,
  options: LoadBackboneOptions = {},
): Promise<LayersModel> {
  if (typeof source !== 'string') return load(source, options);
  return withModel(hubIds[source] ?? source, options, (files) => load(files, options));
}

/** Model ids of the presets, by family and name. */
const hubIds: Partial<Record<string, string>> = Object.fromEntries(
  Object.entries({ convnext: convNeXtPresets, vit: vitPresets, dinov2: dinov2Presets }).flatMap(
    ([family, presets]) => Object.entries(presets).map(([name, { hub }]) => [`${family}-${name}`, hub]),
  ),
);

async function load({ weights, config }: BackboneFiles, options: LoadBackboneOptions): Promise<LayersModel> {
  const { strict = true, onReport } = options;
  const isConv = isConvNeXt(weights);
  const model = isConv ? blankConvNeXtOf(weights, options) : blankViTOf(weights, config, options);
  try {
    const loadWeights = isConv ? loadConvNeXtWeights : loadViTWeights;
    const report = await loadWeights(model, weights, { strict, fresh: true });
    onReport?.(report);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

function blankConvNeXtOf(weights: WeightFile, { outLevels, dropPath }: LoadBackboneOptions): LayersModel {
  return blankConvNeXt({ ...convNeXtConfigOf(weights), outLevels, dropPath });
}

function blankViTOf(
  weights: WeightFile,
  config: Record<string, unknown> | undefined,
  { pyramid, pyramidChannels, seed, outBlocks, dropPath }: LoadBackboneOptions,
): LayersModel {
  if (!isViT(weights)) throw unknown(weights);
  const chosen = { pyramid, pyramidChannels, seed, outBlocks, dropPath };
  return blankViT({ ...vitConfigOf(weights, config), ...chosen });
}

function unknown({ name, entries }: WeightFile): BackboneWeightsError {
  const some = [...entries.keys()].slice(0, 5).join(', ');
  return new BackboneWeightsError({
    what: `${name} holds no backbone that is known here`,
    expected: 'a ConvNeXt, ViT or DINOv2 with the names of transformers, timm or the official repositories',
    received: some ? `${some}, …` : 'a file without tensors',
    fix: 'for a Swin use loadSwin of @e3va/swin',
  });
}
