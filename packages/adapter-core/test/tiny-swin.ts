import { readFileSync } from 'node:fs';
import { loadSwin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { decodeSafetensors, type SafetensorsTensor } from '../src/index.ts';

const swinFixtures = '../../swin/test/fixtures';

/** The tensors of a safetensors file, by its path from this folder. */
export const fixture = (name: string): Map<string, SafetensorsTensor> =>
  decodeSafetensors(readFileSync(new URL(name, import.meta.url)), name).tensors;

export const tensorOf = ({ data, shape }: SafetensorsTensor): tf.Tensor => tf.tensor(data, shape);

/** The tiny Swin of the references, with their weights. */
export function tinySwin(): Promise<LayersModel> {
  return loadSwin(new URL(`${swinFixtures}/w4_microsoft.safetensors`, import.meta.url).pathname);
}

/** The images of the references, [2, 50, 70, 3]. */
export const tinySwinImages = (): tf.Tensor =>
  tf.transpose(tensorOf(fixture(`${swinFixtures}/out_w4_50x70_b2.safetensors`).get('image')!), [0, 2, 3, 1]);

/** Sum over levels of mean(level·g) + ½ mean(level²), the loss of the references. */
export const lossOf = (levels: tf.Tensor[], gs: tf.Tensor[]): tf.Scalar =>
  tf.addN(
    levels.map((y, i) => tf.add(tf.mean(tf.mul(y, gs[i]!)), tf.mul(tf.mean(tf.square(y)), 0.5))),
  ) as tf.Scalar;
