import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors, type TensorData } from '@e3va/adapter-core';
import type { WeightFile } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectClose, normal } from '../../../tests/support/tensors.ts';
import { readReference } from '../test/helpers.ts';
import { loadBackbone } from './load-backbone.ts';

const folder = mkdtempSync(join(tmpdir(), 'e3va-backbone-'));
beforeAll(() => tf.setBackend('cpu'));
afterAll(() => rmSync(folder, { recursive: true }));

async function bytesOf(file: WeightFile): Promise<Uint8Array> {
  const tensors: Record<string, TensorData> = {};
  for (const name of file.entries.keys()) tensors[name] = await file.read(name);
  return encodeSafetensors(tensors);
}

it('opens a folder with config.json, or one file, and gives what open files give', async () => {
  const { weights, config } = readReference('vit');
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'model.safetensors'), await bytesOf(weights));
  const image = normal<tf.Rank.R4>([1, 24, 40, 3], 1);
  const levels = (await loadBackbone({ weights, config })).predict(image) as tf.Tensor[];
  for (const source of [folder, join(folder, 'model.safetensors')]) {
    const model = await loadBackbone(source);
    (model.predict(image) as tf.Tensor[]).forEach((level, s) => {
      expectClose(level, levels[s]!, 0);
    });
  }
});

it('a name of no preset is looked for where models are, and the options of the hub reach it', async () => {
  const options = { cacheDir: join(folder, 'cache'), offline: true };
  await expect(loadBackbone('dinov2-small', options)).rejects.toThrow(/facebook\/dinov2-small/);
  await expect(loadBackbone('convnext-tiny', options)).rejects.toThrow(/facebook\/convnext-tiny-224/);
  await expect(loadBackbone('dinov2-enormous', options)).rejects.toThrow(/dinov2-enormous/);
});
