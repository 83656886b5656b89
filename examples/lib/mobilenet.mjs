/** MobileNetV2 as a LayersModel, from the files in the npm package `nsfwjs`: 224×224×3 in 0..1 → scores of five classes. */
import { createRequire } from 'node:module';
import { loadLayersModel } from '@tensorflow/tfjs-layers';

export async function loadMobileNet() {
  const require = createRequire(import.meta.url);
  const folder = require.resolve('nsfwjs').replace(/dist.*$/, 'dist/models/mobilenet_v2/');
  const { modelTopology, weightsManifest } = require(`${folder}model.min.js`);
  const shards = weightsManifest
    .flatMap(({ paths }) => paths)
    .map((path) => Buffer.from(require(`${folder}${path}.min.js`), 'base64'));
  const weightData = new Uint8Array(Buffer.concat(shards)).buffer;
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
  return loadLayersModel({ load: async () => ({ modelTopology, weightSpecs, weightData }) });
}
