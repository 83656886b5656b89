import { E3vaError, requireNodeModule } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { writeFileAtomic } from './atomic-file.ts';

/** A model's files on disk cannot be read. */
export class ModelFileError extends E3vaError {}

/**
 * A tf.io handler for a model on disk, in the layout of TensorFlow.js: `model.json` and the weight files that it names.
 * Node only; with it `loadLayersModel` and `model.save` work on disk on every backend, without tfjs-node.
 *
 * Loading reads `model.json` and exactly the weight files in its own folder that it names, of exactly the sizes that it
 * states. Saving writes `weights.bin` beside `model.json`, each to a temporary name that is then renamed.
 *
 * @param path Path or `file://` address of `model.json`, or of the folder that holds it.
 * @throws {@link ModelFileError} when loading: if a file is missing or damaged.
 * @throws FileWriteError when saving: if a file cannot be written.
 *
 * @example
 * ```ts
 * import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { modelFile } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const model = sequential({ layers: [layers.dense({ units: 2, inputShape: [3] })] });
 * await model.save(modelFile('./my-model'));
 * const again = await loadLayersModel(modelFile('./my-model/model.json'));
 * console.log(again.countParams()); // 8
 * ```
 */
export function modelFile(path: string): tf.io.IOHandler {
  const given = path.startsWith('file://') ? decodeURI(path.slice('file://'.length)) : path;
  const json = /\.json$/i.test(given) ? given : `${given.replace(/\/+$/, '')}/model.json`;
  return { load: () => load(json), save: (artifacts) => save(json, artifacts) };
}

async function load(path: string): Promise<tf.io.ModelArtifacts> {
  const { basename, dirname, join } = requireNodeModule('node:path');
  const text = new TextDecoder().decode(await read(path));
  let json: tf.io.ModelJSON;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new ModelFileError({ what: `${path} is not JSON`, received: (cause as Error).message }, { cause });
  }
  if (!json?.modelTopology || !Array.isArray(json.weightsManifest)) {
    throw new ModelFileError({
      what: `${path} is no model of TensorFlow.js`,
      expected: "'modelTopology' and 'weightsManifest'",
      fix: 'convert a Keras model with tensorflowjs_converter --output_format=tfjs_layers_model',
    });
  }
  return tf.io.getModelArtifactsForJSON(json, async (manifest) => {
    const specs = manifest.flatMap((group) => group.weights);
    const names = manifest.flatMap((group) => group.paths);
    const strange = names.find((name) => name !== basename(name) || name === '..');
    if (strange) {
      throw new ModelFileError({
        what: `${path} names a weight file outside its folder`,
        expected: 'file names',
        received: strange,
      });
    }
    const parts = await Promise.all(names.map((name) => read(join(dirname(path), name))));
    checkSize(path, specs, parts);
    return [specs, parts.map((part) => part.slice().buffer as ArrayBuffer)];
  });
}

const bytesOf: Record<string, number> = {
  float32: 4,
  int32: 4,
  bool: 1,
  uint8: 1,
  uint16: 2,
  float16: 2,
  complex64: 8,
};

/** The bytes must be those of the specs, unless strings, whose length the specs do not tell, are among them. */
function checkSize(path: string, specs: tf.io.WeightsManifestEntry[], parts: Uint8Array[]): void {
  if (specs.some(({ dtype }) => dtype === 'string')) return;
  const sizes = specs.map(({ dtype, shape, quantization }) => {
    const count = shape.reduce((n, size) => n * size, 1);
    return count * (bytesOf[quantization?.dtype ?? dtype] ?? Number.NaN);
  });
  const expected = sizes.reduce((a, b) => a + b, 0);
  const received = parts.reduce((n, part) => n + part.byteLength, 0);
  if (expected === received) return;
  throw new ModelFileError({
    what: `the weight files of ${path} have the wrong size`,
    expected: `${expected} bytes`,
    received: `${received} bytes`,
    fix: 'copy the files again',
  });
}

async function save(path: string, artifacts: tf.io.ModelArtifacts): Promise<tf.io.SaveResult> {
  const { dirname, join } = requireNodeModule('node:path');
  const { modelTopology, weightSpecs, weightData, ...rest } = artifacts;
  const weights = weightData
    ? tf.io.CompositeArrayBuffer.join(weightData as ArrayBuffer)
    : new ArrayBuffer(0);
  await writeFileAtomic(join(dirname(path), 'weights.bin'), new Uint8Array(weights));
  const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs ?? [] }];
  await writeFileAtomic(path, JSON.stringify({ modelTopology, ...rest, weightsManifest }));
  return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
}

async function read(path: string): Promise<Uint8Array> {
  const { readFile } = requireNodeModule('node:fs/promises');
  try {
    return await readFile(path);
  } catch (cause) {
    throw new ModelFileError(
      { what: `cannot read ${path}`, received: (cause as Error).message, fix: 'check the path' },
      { cause },
    );
  }
}
