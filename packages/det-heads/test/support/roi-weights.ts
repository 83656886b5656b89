import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { expectClose } from '../../../../tests/support/tensors.ts';
import type { Reference } from './reference.ts';

/** Where the weights of a model's layer lie in a fixture: the name of its tensors without `.weight` and `.bias`. */
export type TorchNames = (layer: string) => string;

/** Changes the rows of PyTorch's weights, [out, …], of a layer: to take the background from the first place to the last. */
export type RowOrder = (layer: string, weight: tf.Tensor) => tf.Tensor;

const torchWeights: Record<string, string> = {
  kernel: 'weight',
  gamma: 'weight',
  beta: 'bias',
  bias: 'bias',
};
const sameRows: RowOrder = (_, weight) => weight;

/** Fills a head with the weights of a fixture. */
export function loadTorch(
  model: LayersModel,
  reference: Reference,
  names: TorchNames,
  rows = sameRows,
): void {
  for (const { variable, layer, kind } of variablesOf(model)) {
    if (!torchWeights[kind]) continue;
    const tensor = reference.tensor(`${names(layer)}.${torchWeights[kind]}`);
    variable.write(ours(layer, rows(layer, tensor), variable.shape as number[]));
  }
}

/** Compares every gradient that a fixture holds of a head's weights; returns how many it was. */
export function expectTorchGradients(
  model: LayersModel,
  grads: tf.NamedTensorMap,
  reference: Reference,
  names: TorchNames,
  rows = sameRows,
): number {
  let compared = 0;
  for (const { variable, layer, kind } of variablesOf(model)) {
    const name = `grad.${names(layer)}.${torchWeights[kind]}`;
    if (!reference.has(name)) continue;
    const expected = ours(layer, rows(layer, reference.tensor(name)), variable.shape as number[]);
    const gradient = grads[variable.name];
    expect(gradient, variable.name).toBeDefined();
    expectClose(gradient!, expected, 1e-5, 1e-4);
    compared++;
  }
  return compared;
}

function variablesOf(model: LayersModel) {
  return (model.weights as LayerVariable[]).map((variable) => {
    const [layer, kind] = variable.originalName.split('/') as [string, string];
    return { variable, layer, kind };
  });
}

/** A weight of PyTorch's in the shape of ours. */
function ours(layer: string, weight: tf.Tensor, shape: number[]): tf.Tensor {
  if (weight.rank === 4) return tf.transpose(weight, layer === 'up' ? [0, 2, 3, 1] : [2, 3, 1, 0]);
  if (weight.rank !== 2) return weight;
  if (layer === 'dense.0') {
    // pooled regions are flattened as [channels, 7, 7] there and as [7, 7, channels] here
    const [out, inner] = weight.shape as [number, number];
    const regions = tf.reshape(weight, [out, inner / 49, 7, 7]);
    return tf.reshape(tf.transpose(regions, [2, 3, 1, 0]), [inner, out]);
  }
  return tf.reshape(tf.transpose(weight), shape);
}
