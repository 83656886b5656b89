import {
  asIs,
  conv,
  loadWeights,
  type WeightFile,
  type WeightSource,
  type WeightsReport,
  type WeightTarget,
} from '@e3va/weight-files';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { type HeadPart, headNaming, torchName } from './head-names.ts';

/** Options of {@link loadHeadWeights}. */
export interface LoadHeadOptions {
  /** Which head of the file: `decode_head` for UPerNet (the default), `auxiliary_head` for the FCN head. */
  part?: HeadPart;
  /** `drop` leaves the classifier as it is, for data of other classes; `keep`, the default, loads it. */
  classes?: 'keep' | 'drop';
}

/**
 * Loads a head of a Hugging Face `UperNetForSemanticSegmentation` or of an mmsegmentation UPerNet into
 * {@link uperNet} or {@link fcnHead}, running statistics included. Tensors of other parts of the model are skipped.
 *
 * @param head A head of the same structure as the one that was saved; {@link uperNetOptionsOf} tells it.
 * @param file An open weight file; it stays open.
 * @param options Which head, and whether with its classifier.
 * @returns The names loaded, missing and skipped.
 * @throws {@link HeadWeightsError} if the file has no such head; WeightsMismatchError if a tensor is missing, of another
 * shape, not finite or without a place; the head is then unchanged.
 *
 * @example
 * ```ts
 * import '@tensorflow/tfjs-backend-cpu';
 * import { fcnHead, loadHeadWeights } from '@e3va/seg-heads';
 * import { memoryWeights } from '@e3va/weight-files';
 *
 * const head = fcnHead({ level: { name: 'level2', channels: 2, stride: 16 }, classes: 3, convs: 0 });
 * const file = memoryWeights({
 *   'auxiliary_head.classifier.weight': { shape: [3, 2, 1, 1], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
 *   'auxiliary_head.classifier.bias': { shape: [3], data: new Float32Array([0, 0, 1]) },
 * });
 * await loadHeadWeights(head, file, { part: 'auxiliary_head' });
 * ```
 */
export async function loadHeadWeights(
  head: LayersModel,
  file: WeightFile,
  { part = 'decode_head', classes = 'keep' }: LoadHeadOptions = {},
): Promise<WeightsReport> {
  const rename = headNaming(file, part);
  const dropped = (name: string) => classes === 'drop' && /^classifier\b/.test(name);
  const targets = head.weights.flatMap((variable): WeightTarget[] => {
    const name = torchName(variable);
    if (variable.originalName.endsWith('/calls') || dropped(name)) return []; // dropout's counter
    return [{ variable, source: sourceOf(rename(name), variable) }];
  });
  const ownClassifier = rename('classifier.');
  return loadWeights(file, targets, {
    mustHavePlace: (name) =>
      name.startsWith(`${part}.`) &&
      !name.endsWith('.num_batches_tracked') &&
      !(classes === 'drop' && name.startsWith(ownClassifier)),
  });
}

function sourceOf(name: string, { shape }: LayerVariable): WeightSource {
  return shape.length === 4
    ? conv(name, shape as [number, number, number, number])
    : asIs(name, shape as number[]);
}
