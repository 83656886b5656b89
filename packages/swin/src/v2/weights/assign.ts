import {
  type LoadWeightsOptions,
  loadWeights,
  type WeightFile,
  type WeightsReport,
} from '@e3va/weight-files';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { isBackbones, stagesOf } from '../../weights/assign.ts';
import { v2NamingOf } from './namings.ts';
import { swinV2Targets } from './targets.ts';

/**
 * Loads weights into a model of {@link swinV2}, or one that holds its layers, in any of these namings, told by the keys:
 * those of transformers (`Swinv2Model`, `Swinv2Backbone` and whatever holds one), of timm's `swinv2_*`, and of the official
 * repository, with or without a prefix such as `backbone.`.
 *
 * Out-norms, which published files lack, become the identity: scale 1, offset 0. Classifiers, the norm in front of them,
 * buffers, and everything outside the backbone's prefix are skipped. No weight depends on the window, so a file also fits a
 * model of another window; its `pretrainedWindows` then say which one the file's was.
 *
 * @param model The model.
 * @param file An open weight file; it stays open.
 * @param options `strict`, default true: whether it is an error if something does not fit: a missing weight, a wrong shape,
 * or a weight of the backbone that the model has no place for. `fresh`: as for `loadWeights` of `@e3va/weight-files`.
 * @returns The names loaded, resized (none), missing and skipped.
 * @throws {@link SwinWeightsError} if the file holds no Swin V2; WeightsMismatchError if it does not fit, or holds numbers that
 * are not finite; WeightFileError if it is damaged. Without `fresh`, the model is then unchanged.
 *
 * @example
 * ```ts no-run
 * import { loadSwinV2Weights, swinV2, swinV2ConfigOf } from '@e3va/swin';
 * import { openWeights } from '@e3va/weight-files';
 *
 * const file = await openWeights('swinv2_tiny_patch4_window8_256.pth');
 * const model = swinV2(await swinV2ConfigOf(file));
 * const { loaded } = await loadSwinV2Weights(model, file);
 * console.log(loaded.length);
 * ```
 */
export async function loadSwinV2Weights(
  model: LayersModel,
  file: WeightFile,
  { strict = true, fresh = false }: Pick<LoadWeightsOptions, 'strict' | 'fresh'> = {},
): Promise<WeightsReport> {
  const naming = v2NamingOf(file);
  const stages = stagesOf(model);
  return loadWeights(file, swinV2Targets(model, file), {
    strict,
    fresh,
    mustHavePlace: (name) => isBackbones(name, naming, stages),
  });
}
