import { readFileSync } from 'node:fs';
import type { TensorData } from '@e3va/adapter-core';
import { memoryWeights, type WeightFile } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import type { SwinV2Config } from '../src/index.ts';
import { readFixture } from './helpers.ts';

/** The reference network whose windows are whole everywhere. */
export const freeConfig: SwinV2Config = { embedDim: 4, depths: [2, 2, 2, 2], heads: [1, 2, 2, 4], window: 4 };

/** The one of images of 64 pixels, pretrained at smaller windows. */
export const boundConfig: SwinV2Config = { ...freeConfig, imageSize: 64, pretrainedWindows: [3, 3, 3, 2] };

/** Weights of a fixture in folder v2. */
export function v2Weights(name: string): WeightFile {
  return memoryWeights(readFixture(`v2/${name}`).tensors, { name });
}

/** A JSON fixture in folder v2. */
export function v2Json<T = Record<string, unknown>>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./fixtures/v2/${name}.json`, import.meta.url), 'utf8')) as T;
}

/** The images that the references were computed on, as NHWC. */
export function v2Images(batch: number, height: number, width: number): tf.Tensor4D {
  return tf.tidy(() => {
    const values = Float32Array.from(
      { length: batch * 3 * height * width },
      (_, i) => ((i * i * 31 + i * 7919) % 1009) / 504 - 1,
    );
    return tf.transpose(tf.tensor4d(values, [batch, 3, height, width]), [0, 2, 3, 1]);
  });
}

/** A file with another set of tensors. */
export async function changed(
  file: WeightFile,
  change: (tensors: Map<string, TensorData>) => void,
): Promise<WeightFile> {
  const tensors = new Map<string, TensorData>();
  for (const name of file.entries.keys()) tensors.set(name, await file.read(name));
  change(tensors);
  return memoryWeights(tensors, { name: 'changed' });
}
