import { createRequire } from 'node:module';
import type * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';

/** What a model of the package nsfwjs is shipped as: the contents of model.json, and each shard as base64. */
interface Shipped {
  modelTopology: object;
  weightsManifest: { paths: string[]; weights: tf.io.WeightsManifestEntry[] }[];
}

const require = createRequire(import.meta.url);

/** MobileNetV2 (224², five classes) or InceptionV3 (299², five classes), from the package's own files. */
export async function loadNsfwjs(name: 'mobilenet_v2' | 'inception_v3'): Promise<LayersModel> {
  const folder = require.resolve('nsfwjs').replace(/dist.*$/, `dist/models/${name}/`);
  const { modelTopology, weightsManifest } = require(`${folder}model.min.js`) as Shipped;
  const shards = weightsManifest
    .flatMap(({ paths }) => paths)
    .map((path) => Buffer.from(require(`${folder}${path}.min.js`) as string, 'base64'));
  const bytes = Buffer.concat(shards);
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  return loadLayersModel({ load: async () => ({ modelTopology, weightSpecs, weightData }) });
}
