import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors, encodeSafetensors } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../backend.ts';
import { DetectionModel } from '../detection/detection-model.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { Segmenter } from '../segmentation/segmenter.ts';
import type { Batch, TaskModel } from '../task.ts';
import { Trainer } from '../trainer.ts';
import { openBackbone } from './open-backbone.ts';

const packages = new URL('../../../', import.meta.url);
const root = mkdtempSync(join(tmpdir(), 'e3va-backbones-'));
beforeAll(() => useBackend('wasm'));
afterAll(() => rmSync(root, { recursive: true }));

/** The network of a fixture as a folder of a hub has it: its weights, and config.json. */
function folderOf(fixture: string, config?: string): string {
  const bytes = readFileSync(new URL(`${fixture}.safetensors`, packages));
  const { tensors, metadata } = decodeSafetensors(bytes);
  const own = [...tensors].filter(([name]) => !/^(grad|image|out|up)\b/.test(name));
  const folder = join(root, fixture.replaceAll('/', '-'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(Object.fromEntries(own)));
  const text = config ? readFileSync(new URL(config, packages), 'utf8') : metadata.config;
  if (text) writeFileSync(join(folder, 'config.json'), text);
  return folder;
}

const families: [string, string, string?][] = [
  ['swin', 'swin/test/fixtures/w4_hf_backbone'],
  ['swin_v2', 'swin/test/fixtures/v2/bound_hf', 'swin/test/fixtures/v2/bound_config.json'],
  ['convnext', 'backbones/test/fixtures/convnext'],
  ['vit', 'backbones/test/fixtures/vit'],
  ['dinov2', 'backbones/test/fixtures/dinov2'],
];

/** Three steps lower the loss, and everything is given back. */
async function expectTraining(model: TaskModel, recipe: ReturnType<typeof parseRecipe>, batch: Batch) {
  const trainer = new Trainer(model, recipe.train);
  const losses: number[] = [];
  for (let i = 0; i < 4; i++) {
    const { total, losses: parts } = trainer.step([batch]);
    losses.push((await total.data())[0]!);
    tf.dispose([total, parts]);
  }
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  expect(model.adapted.parameters.trainable).toBeGreaterThan(0);
  trainer.dispose();
  model.dispose();
}

describe.each(families)('a backbone of the family %s', (family, fixture, config) => {
  const name = folderOf(fixture, config);
  const train = {
    optimizer: { lr: 3e-3, weightDecay: 0 },
    schedule: { warmupSteps: 0, policy: 'constant' as const },
  };

  it('is opened by its weights, with four levels', async () => {
    const model = await openBackbone(name);
    expect(model.name.replaceAll('-', '_')).toContain(family === 'dinov2' ? 'vit' : family);
    expect(model.outputs.length).toBe(4);
    model.dispose();
  });

  it('carries a segmenter that learns', async () => {
    const before = tf.memory().numTensors;
    const recipe = parseRecipe({
      task: 'segmentation',
      backbone: { name },
      head: { channels: 8, dropout: 0 },
      train,
    });
    const images = tf.randomNormal<tf.Rank.R4>([1, 64, 96, 3], 0, 1, 'float32', 3);
    const labels = tf.randomUniform<tf.Rank.R3>([1, 64, 96], 0, 3, 'int32', 4);
    const batch = { images, labels };
    await expectTraining(await Segmenter.create(recipe, { classes: ['a', 'b', 'c'] }), recipe, batch);
    tf.dispose([images, labels]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('carries a detector that learns', async () => {
    const before = tf.memory().numTensors;
    const recipe = parseRecipe({ task: 'detection', backbone: { name }, head: { channels: 8 }, train });
    const batch = {
      images: tf.randomNormal<tf.Rank.R4>([1, 64, 96, 3], 0, 1, 'float32', 3),
      targets: [{ boxes: Float32Array.of(8, 8, 40, 48), labels: Int32Array.of(1) }],
      sizes: [{ height: 64, width: 96 }],
      random: () => 0,
    };
    await expectTraining(await DetectionModel.create(recipe, { classes: ['a', 'b'] }), recipe, batch);
    batch.images.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});
