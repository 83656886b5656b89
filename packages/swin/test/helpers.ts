import { readFileSync } from 'node:fs';
import { decodeSafetensors, type Safetensors, type TensorData } from '@e3va/adapter-core';
import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { memoryWeights, type WeightFile } from '@e3va/weight-files';
import { expect } from 'vitest';
import type { SwinConfig } from '../src/index.ts';

/** The backends that every numeric test runs on; the kernels stay registered, so they come last. */
export const backends = ['cpu', 'wasm', 'wasm with training kernels'] as const;

/** Makes a backend of the list the active one. */
export async function useBackend(name: string): Promise<void> {
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await tf.setBackend(name.split(' ')[0]!);
  await tf.ready();
  if (name.includes('kernels')) registerTrainingKernels();
}

/** The reference networks of the fixtures. */
export const referenceConfigs = {
  w4: { embedDim: 8, depths: [2, 2, 2, 2], heads: [1, 2, 2, 4], window: 4 },
  w7: { embedDim: 8, depths: [2, 2, 2, 2], heads: [1, 2, 4, 8], window: 7 },
} satisfies Record<string, SwinConfig>;

/** A tiny network for gradients: odd sizes, shifted windows, two stages. */
export const tinyConfig: SwinConfig = { embedDim: 4, depths: [2, 1], heads: [1, 2], window: 3, patch: 2 };

export function fixturePath(name: string): string {
  return new URL(`./fixtures/${name}.safetensors`, import.meta.url).pathname;
}

export function readFixture(name: string): Safetensors {
  return decodeSafetensors(new Uint8Array(readFileSync(fixturePath(name))), name);
}

/** A fixture as an open weight file; `edit` may change its tensors first. */
export function fixtureWeights(name: string, edit?: (tensors: Map<string, TensorData>) => void): WeightFile {
  const { tensors, metadata } = readFixture(name);
  edit?.(tensors as Map<string, TensorData>);
  return memoryWeights(tensors, { name, metadata });
}

/** A float tensor of a fixture. */
export function tensorOf(file: Safetensors, name: string): tf.Tensor {
  const { data, shape } = file.tensors.get(name)!;
  return tf.tensor(data, shape, 'float32');
}

/** A fixture's images, [batch, 3, height, width] there, as NHWC. */
export function imagesOf(file: Safetensors): tf.Tensor4D {
  return tf.tidy(() => tf.transpose(tensorOf(file, 'image'), [0, 2, 3, 1]) as tf.Tensor4D);
}

/** Deterministic numbers of order one. */
export function draw(shape: number[], seed: number, scale = 1): tf.Tensor {
  return tf.randomNormal(shape, 0, scale, 'float32', seed === 0 ? 1e6 : seed); // tfjs takes 0 for no seed
}

/** Largest difference of two tensors of one shape; NaN if one holds NaN. */
export function maxDifference(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  const [x, y] = [a.dataSync(), b.dataSync()];
  let most = 0;
  for (let i = 0; i < x.length; i++) {
    const difference = Math.abs(x[i]! - y[i]!);
    if (!(difference <= most)) most = difference;
    if (Number.isNaN(difference)) return Number.NaN;
  }
  return most;
}
