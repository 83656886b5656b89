import type { WeightFile, WeightsReport } from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { blankConvNeXt } from './convnext/convnext.ts';
import { convNeXtConfigOf, isConvNeXt, loadConvNeXtWeights } from './convnext/weights.ts';
import { BackboneWeightsError } from './errors.ts';
import type { ViTConfig } from './vit/config.ts';
import { blankViT } from './vit/vit.ts';
import { isViT, loadViTWeights, vitConfigOf } from './vit/weights.ts';

/** The files of a pretrained model, opened: what `openModel` of `@e3va/hub` gives. */
export interface BackboneFiles {
  /** The open weight file; it stays open. */
  weights: WeightFile;
  /** What stands in its config.json, if there is one. */
  config?: Record<string, unknown> | undefined;
}

/** Options of {@link loadBackbone}. */
export interface LoadBackboneOptions
  extends Pick<ViTConfig, 'pyramid' | 'pyramidChannels' | 'outBlocks' | 'seed'> {
  /** Stochastic depth of the last block in training; default 0. */
  dropPath?: number;
  /** Of a ConvNeXt, the levels to give out, ascending; default all. */
  outLevels?: readonly number[];
  /** Whether a missing, misshapen or homeless weight is an error; default true. */
  strict?: boolean;
  /** Is shown what was loaded, resized, missing and skipped. */
  onReport?: (report: WeightsReport) => void;
}

/**
 * A ConvNeXt, ViT or DINOv2 with pretrained weights; the names in the file tell which, its shapes the architecture.
 *
 * @param files An open weight file, and what stands in config.json beside it: the heads of a ViT and the epsilon of its norms,
 * which shapes do not tell.
 * @param options What is given out, and how strict loading is.
 * @returns The model of {@link convNeXt} or {@link vit} with the weights of the file.
 * @throws {@link BackboneWeightsError} if the file holds none of them; {@link BackboneConfigError} if its architecture is not
 * supported; WeightsMismatchError if it does not fit.
 *
 * @example
 * ```ts no-run
 * import { loadBackbone } from '@e3va/backbones';
 * import { openModel } from '@e3va/hub';
 *
 * const files = await openModel('facebook/dinov2-small');
 * const model = await loadBackbone(files);
 * await files.close();
 * console.log(model.outputs.map((level) => level.shape)); // four levels of 384 channels
 * ```
 */
export async function loadBackbone(
  { weights, config = {} }: BackboneFiles,
  { strict = true, onReport, outLevels, dropPath, ...options }: LoadBackboneOptions = {},
): Promise<LayersModel> {
  const [model, load] = isConvNeXt(weights)
    ? [
        blankConvNeXt({ ...convNeXtConfigOf(weights), ...given({ outLevels, dropPath }) }),
        loadConvNeXtWeights,
      ]
    : [blankViT({ ...viTConfigOf(weights, config), ...given({ ...options, dropPath }) }), loadViTWeights];
  try {
    const report = await load(model, weights, { strict, fresh: true });
    onReport?.(report);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}

function viTConfigOf(weights: WeightFile, config: Record<string, unknown>): ViTConfig {
  if (isViT(weights)) return vitConfigOf(weights, config);
  const some = [...weights.entries.keys()].slice(0, 5).join(', ');
  throw new BackboneWeightsError({
    what: `${weights.name} holds no backbone that is known here`,
    expected: 'a ConvNeXt, ViT or DINOv2 with the names of transformers, timm or the official repositories',
    received: some ? `${some}, …` : 'a file without tensors',
    fix: 'for a Swin use loadSwin of @e3va/swin',
  });
}

/** The options that were given. */
function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}
