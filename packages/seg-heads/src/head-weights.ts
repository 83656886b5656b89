import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { HeadWeightsError } from './errors.ts';

/** A tensor of a weight file: its shape, outermost axis first, and its values. */
export interface WeightTensor {
  shape: readonly number[];
  data: ArrayLike<number>;
}

/**
 * Loads a head of a Hugging Face `UperNetForSemanticSegmentation` or of an mmsegmentation UPerNet into
 * {@link uperNet} or {@link fcnHead}, running statistics included. Tensors of other parts of the model are left alone.
 *
 * @param head A head of the same structure as the one that was saved.
 * @param tensors The file's tensors by name, in PyTorch's layout, for instance those of a decoded safetensors file.
 * @param part Which head of the file: `decode_head` for UPerNet, `auxiliary_head` for the FCN head.
 * @throws {@link HeadWeightsError} if a tensor is missing or of another shape; the head is then unchanged.
 *
 * @example
 * ```ts
 * import '@tensorflow/tfjs-backend-cpu';
 * import { fcnHead, loadHeadWeights, type WeightTensor } from '@e3va/seg-heads';
 *
 * const head = fcnHead({ level: { name: 'level2', channels: 2, stride: 16 }, classes: 3, convs: 0 });
 * const tensors = new Map<string, WeightTensor>([
 *   ['auxiliary_head.classifier.weight', { shape: [3, 2, 1, 1], data: [1, 2, 3, 4, 5, 6] }],
 *   ['auxiliary_head.classifier.bias', { shape: [3], data: [0, 0, 1] }],
 * ]);
 * loadHeadWeights(head, tensors, 'auxiliary_head');
 * ```
 */
export function loadHeadWeights(
  head: LayersModel,
  tensors: ReadonlyMap<string, WeightTensor>,
  part: 'decode_head' | 'auxiliary_head' = 'decode_head',
): void {
  const own = head.weights.filter(({ originalName }) => !originalName.endsWith('/calls')); // dropout's counter
  const found = own.map((variable) => {
    const name = `${part}.${torchName(variable)}`;
    const tensor = tensors.get(name) ?? tensors.get(mmsegName(name));
    check(name, torchShape(variable.shape as number[]), tensor?.shape);
    return { variable, tensor: tensor! };
  });
  for (const { variable, tensor } of found) {
    tf.tidy(() => {
      const values = tf.tensor(Float32Array.from(tensor.data), [...tensor.shape]);
      variable.write(tensor.shape.length === 4 ? tf.transpose(values, [2, 3, 1, 0]) : values); // OIHW to HWIO
    });
  }
}

const weightNames: Record<string, string> = {
  kernel: 'weight',
  gamma: 'weight',
  beta: 'bias',
  runningMean: 'running_mean',
  runningVariance: 'running_var',
};

/** Hugging Face's name of a weight within its head: `psp.0.norm/gamma` is `psp_modules.0.1.batch_norm.weight`. */
export function torchName({ originalName }: { originalName: string }): string {
  const [layer, weight] = originalName.split('/') as [string, string];
  const module = layer
    .replace(/^psp\.(\d+)/, 'psp_modules.$1.1')
    .replace(/^(lateral|fpn)\./, '$1_convs.')
    .replace(/\.norm$/, '.batch_norm');
  return `${module}.${weightNames[weight] ?? weight}`;
}

/** mmsegmentation's name for a tensor of Hugging Face's. */
function mmsegName(name: string): string {
  return name.replace('.batch_norm.', '.bn.').replace('.classifier.', '.conv_seg.');
}

/** Convolutions are OIHW in PyTorch. */
function torchShape(shape: number[]): number[] {
  return shape.length === 4 ? [shape[3]!, shape[2]!, shape[0]!, shape[1]!] : shape;
}

function check(name: string, expected: number[], received: readonly number[] | undefined): void {
  if (received?.join() === expected.join()) return;
  throw new HeadWeightsError({
    what: received
      ? `the weights' ${name} has another shape than the head's`
      : `the weights lack ${name} (${mmsegName(name)} in mmsegmentation)`,
    expected: `[${expected}]`,
    received: received ? `[${received}]` : 'no tensor of that name',
    fix: "build the head with the file's levels, channels, poolScales, convs and classes",
  });
}
