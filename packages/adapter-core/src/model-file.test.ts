import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { layers, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ModelFileError, modelFile } from './model-file.ts';

let folder: string;
beforeAll(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'e3va-model-'));
});
afterAll(() => rm(folder, { recursive: true }));

const made = () => sequential({ layers: [layers.dense({ name: 'fc', units: 2, inputShape: [3] })] });

it('saves a model in the layout of TensorFlow.js and loads it, with its metadata', async () => {
  const model = made();
  model.setUserDefinedMetadata({ note: 'here' });
  await model.save(modelFile(join(folder, 'a')));
  expect((await readdir(join(folder, 'a'))).sort()).toEqual(['model.json', 'weights.bin']);
  const again = await loadLayersModel(modelFile(`file://${join(folder, 'a', 'model.json')}`));
  expect(again.getUserDefinedMetadata()).toEqual({ note: 'here' });
  const x = tf.tensor2d([[1, 2, 3]]);
  const results = [model, again].map((m) => [...(m.predict(x) as tf.Tensor).dataSync()]);
  expect(results[0]).toEqual(results[1]);
});

it('refuses what is missing, damaged, or outside the folder', async () => {
  const path = join(folder, 'b');
  await made().save(modelFile(path));
  const json = await readFile(join(path, 'model.json'), 'utf8');
  const load = () => loadLayersModel(modelFile(path));
  const changed = async (text: string) => {
    await writeFile(join(path, 'model.json'), text);
    return load();
  };
  await expect(changed('{')).rejects.toThrow(/is not JSON/);
  await expect(changed('{"format": "graph-model"}')).rejects.toThrow(/no model of TensorFlow.js/);
  await expect(changed(json.replace('weights.bin', '../a/weights.bin'))).rejects.toThrow(
    /outside its folder/,
  );
  await expect(changed(json.replace('weights.bin', 'other.bin'))).rejects.toThrow(/cannot read .*other\.bin/);
  await writeFile(join(path, 'weights.bin'), new Uint8Array(20));
  await expect(changed(json)).rejects.toThrow(/expected: 32 bytes\n.*received: 20 bytes/);
  await expect(loadLayersModel(modelFile(join(folder, 'absent')))).rejects.toThrow(ModelFileError);
});
