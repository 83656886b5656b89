import { readFileSync } from 'node:fs';
import { decodeSafetensors } from '@e3va/adapter-core';
import { memoryWeights, type WeightFile, type WeightTarget } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { expectClose, type FixtureTensor, toNhwc, toTensor } from '../../../tests/support/tensors.ts';

/** A network of transformers with its results: see fixtures/README.md. */
export interface Reference {
  /** The weights alone. */
  weights: WeightFile;
  /** What transformers has in config.json. */
  config: Record<string, unknown>;
  /** Everything, results too. */
  tensors: Map<string, FixtureTensor>;
}

export function readReference(name: string): Reference {
  const path = new URL(`./fixtures/${name}.safetensors`, import.meta.url);
  const { tensors, metadata } = decodeSafetensors(new Uint8Array(readFileSync(path)), name);
  const all = tensors as unknown as Map<string, FixtureTensor>;
  const results = /^(image|out|up|grad)\./;
  const own = new Map([...all].filter(([key]) => !results.test(key)));
  return { weights: memoryWeights(own, { name }), config: JSON.parse(metadata.config!), tensors: all };
}

/** The images of a reference as NHWC. */
export function imagesOf({ tensors }: Reference): tf.Tensor4D[] {
  const names = [...tensors.keys()].filter((key) => key.startsWith('image.'));
  return names.map((name) => toNhwc(tensors.get(name)!));
}

/** A tensor of a reference; a map comes as NHWC. */
export function resultOf({ tensors }: Reference, name: string): tf.Tensor {
  const tensor = tensors.get(name)!;
  return tensor.shape.length === 4 ? toNhwc(tensor) : toTensor(tensor);
}

/**
 * Compares the gradients of a loss with the reference's, converted as the weights are: those of every weight whose parts the
 * reference has.
 *
 * @returns The names compared.
 */
export function expectGradients(
  { tensors }: Reference,
  targets: readonly WeightTarget[],
  loss: () => tf.Scalar,
): string[] {
  const compared = targets.filter(({ source }) =>
    source.parts.every(({ name }) => tensors.has(`grad.${name}`)),
  );
  const variables = compared.map(({ variable }) => variable.read() as tf.Variable);
  const { grads, value } = tf.variableGrads(loss, variables);
  compared.forEach(({ source }, i) => {
    const parts = source.parts.map(({ name }) => tensors.get(`grad.${name}`)!);
    const expected = source.convert ? source.convert(parts as never) : parts[0]!.data;
    const size = Math.max(...expected.map(Math.abs));
    expect(size).toBeGreaterThan(1e-2);
    expectClose(grads[variables[i]!.name]!, expected, 1e-5 + 1e-4 * size, 1e-4);
  });
  tf.dispose([grads, value]);
  return compared.flatMap(({ source }) => source.parts.map(({ name }) => name));
}
