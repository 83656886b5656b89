import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSafetensors } from '@e3va/adapter-core';
import { readImage } from '@e3va/datasets';
import { HubSettingError } from '@e3va/hub';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { token } from '../../../hub/test/fake-hub.ts';
import { startHub } from '../../../hub/test/helpers.ts';
import { shapeClasses, writeShapes } from '../../test/shapes.ts';
import { useBackend } from '../backend.ts';
import { CheckpointError, ModelError, RunError } from '../errors.ts';
import { loadModel } from '../models/load-model.ts';
import { parseRecipe } from '../recipe/parse.ts';
import { loadRun } from '../run/load-run.ts';
import { predictImage } from '../segmentation/evaluate.ts';
import { trainRun } from '../train-run.ts';
import { pullRun } from './pull-run.ts';
import { pushRun } from './push-run.ts';

const root = mkdtempSync(join(tmpdir(), 'e3va-publish-'));
const repo = 'org/model';
const run = join(root, 'run');
beforeAll(async () => {
  await useBackend('wasm');
  const data = await writeShapes(join(root, 'data'), 8);
  const head = { channels: 8, aux: { channels: 8 } };
  const train = { steps: 2, batch: 2, crop: [32, 48] as [number, number], evalEvery: 2, ema: 0.5 };
  await trainRun(parseRecipe({ head, train }, { flags: { data, out: run } }));
});
afterEach(() => {
  for (const name of ['HF_ENDPOINT', 'HF_HUB_CACHE']) delete process.env[name];
});
afterAll(() => rmSync(root, { recursive: true }));

/** A hub whose repository holds files, named by the environment. */
async function hubWith(files: Record<string, string | Uint8Array>) {
  const hub = await startHub(files as Parameters<typeof startHub>[0]);
  process.env.HF_ENDPOINT = hub.endpoint;
  process.env.HF_HUB_CACHE = mkdtempSync(join(root, 'cache-'));
  return hub;
}

/** What a push of the run uploads. */
async function pushed() {
  const hub = await hubWith({ 'config.json': '{}' });
  const { url } = await pushRun(run, { repo, token, license: 'mit' });
  expect(url).toBe(`${hub.endpoint}/${repo}`);
  const [model] = [...hub.pushed.lfs.values()];
  const commits = hub.pushed.commits as { key: string; value: Record<string, string> }[];
  const text = (path: string) => {
    const found = commits.find(({ key, value }) => key === 'file' && value.path === path)!;
    return Buffer.from(found.value.content!, 'base64').toString();
  };
  return { model: model!, recipe: text('recipe.yaml'), card: text('README.md') };
}

it('a run is published without what only training needs, with a card that tells how to use it', async () => {
  const { model, recipe, card } = await pushed();
  const { tensors, metadata } = decodeSafetensors(model);
  expect([...tensors.keys()].every((key) => key.startsWith('model/'))).toBe(true);
  expect(JSON.parse(metadata.e3va!)).toMatchObject({
    classes: shapeClasses,
    recipe: { task: 'segmentation' },
  });
  expect(recipe).toContain('task: segmentation');
  expect(card).toMatch(/^---\nlibrary_name: e3va\npipeline_tag: image-segmentation\nlicense: mit\n/);
  expect(card).toContain('npx e3va predict --model org/model photo.jpg');
  expect(card).toContain('\\<img'); // the hostile name of a class does nothing
});

it('predicts by its id, and as a pulled run, what the run predicts', async () => {
  const { model } = await pushed();
  const image = await readImage(join(root, 'data/images/val/scene-003.png'));
  const before = tf.memory().numTensors;
  const own = await loadRun(run, { task: 'segmentation' });
  const expected = await predictImage(own.model, image);
  own.model.dispose();

  await hubWith({ 'model.safetensors': model });
  const loaded = await loadModel(repo, { task: 'segmentation', backend: 'wasm' });
  expect(loaded.model.info.classes).toEqual(shapeClasses);
  expect(await predictImage(loaded.model, image)).toEqual(expected);
  loaded.model.dispose();

  const dir = join(root, 'pulled');
  await pullRun(repo, dir);
  const again = await loadRun(dir, { task: 'segmentation' });
  expect(await predictImage(again.model, image)).toEqual(expected);
  again.model.dispose();
  expect(tf.memory().numTensors).toBe(before);
  await expect(pullRun(repo, dir)).rejects.toThrow(RunError);
});

it('refuses what e3va did not publish, another task, a missing token and a damaged description', async () => {
  await expect(pushRun(run, { repo, token: false })).rejects.toThrow(HubSettingError);
  await expect(pushRun(join(root, 'nothing'), { repo, token })).rejects.toThrow(RunError);
  const { model } = await pushed();
  await hubWith({ 'model.safetensors': model });
  await expect(loadModel(repo, { task: 'detection' })).rejects.toThrow(ModelError);

  const upernet = new URL('../../test/fixtures/upernet/', import.meta.url).pathname;
  await expect(pullRun(upernet, join(root, 'none'))).rejects.toThrow(CheckpointError);
  const broken = Buffer.from(model);
  broken.write('"format\\":9', broken.indexOf('"format\\":2'));
  const file = join(root, 'broken.safetensors');
  writeFileSync(file, broken);
  await expect(loadModel(file)).rejects.toThrow(/no model of this version of e3va/);
});
