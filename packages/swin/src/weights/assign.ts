import {
  type LoadWeightsOptions,
  loadWeights,
  type WeightFile,
  type WeightsReport,
} from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type FileNaming, namingOf } from './file-naming.ts';
import { renamed } from './namings.ts';
import { officialName, swinTargets } from './targets.ts';

/**
 * Loads weights into a model of {@link swin}, or one that holds its layers, in any of these namings, told by the keys:
 *
 * - Microsoft's official one, with or without the prefix `backbone.` of detectors and segmenters;
 * - Hugging Face's `SwinModel`, `SwinBackbone` and whatever holds one, of transformers 4 and 5;
 * - timm's, mmdetection's and mmsegmentation's (patch merging in nn.Unfold's order), torchvision's.
 *
 * Position tables of another window are resized (see the report). Out-norms that the file lacks become the identity.
 * Classifiers, buffers, and everything outside the backbone's prefix are skipped.
 *
 * @param model The model.
 * @param file An open weight file; it stays open.
 * @param options `strict`, default true: whether it is an error if something does not fit: a missing weight, a wrong shape,
 * or a weight of the backbone that the model has no place for (another depth, absolute positions).
 * @returns The names loaded, resized, missing and skipped.
 * @throws {@link SwinWeightsError} if the file holds no Swin; WeightsMismatchError if it does not fit, or holds numbers that
 * are not finite; WeightFileError or SafetensorsError if it is damaged. The model is unchanged then.
 *
 * @example
 * ```ts no-run
 * import { loadSwinWeights, swin, swinConfigOf } from '@e3va/swin';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const file = await openWeights('mask_rcnn_swin-t.pth'); // mmdetection's
 * const model = swin(swinConfigOf(file));
 * const { loaded, skipped } = await loadSwinWeights(model, file);
 * console.log(loaded.length, 'loaded;', skipped.length, 'of neck and heads');
 * ```
 */
export async function loadSwinWeights(
  model: LayersModel,
  file: WeightFile,
  { strict = true, fresh }: Pick<LoadWeightsOptions, 'strict' | 'fresh'> = {},
): Promise<WeightsReport> {
  const naming = namingOf(file);
  const stages = stagesOf(model);
  return loadWeights(file, swinTargets(model, file), {
    strict,
    ...(fresh !== undefined && { fresh }),
    mustHavePlace: (name) => isBackbones(name, naming, stages),
  });
}

/** Buffers that some checkpoints carry, and the token of masked-image pretraining. */
const dispensable = /\.(relative_position_index|attn_mask|mask_token|relative_coords_table)$|^mask_token$/;

/** Whether a name of a file belongs to a part of the backbone that the model has: the embedding, or one of its stages. */
export function isBackbones(name: string, { naming, prefix }: FileNaming, stages: number): boolean {
  if (!name.startsWith(prefix)) return false;
  const own = name.slice(prefix.length);
  if (dispensable.test(own) || naming.heads.test(own)) return false;
  const embedding = renamed('patch_embed.proj.weight', naming).split('.')[0]!;
  const ofStages = Array.from({ length: stages }, (_, s) => renamed(`layers.${s}.blocks.`, naming));
  const parts = [...ofStages, `${embedding}.`.replace('features.', 'features.0.'), 'absolute_pos_embed'];
  return parts.some((part) => own.startsWith(part));
}

/** How many stages a model has, by the names of its weights. */
export function stagesOf(model: LayersModel): number {
  const names = model.weights.map(({ originalName }) =>
    /^layers\.(\d+)\./.exec(officialName(originalName) ?? ''),
  );
  return Math.max(-1, ...names.map((match) => Number(match?.[1] ?? -1))) + 1;
}
