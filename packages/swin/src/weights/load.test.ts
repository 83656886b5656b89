import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HubModelError, openModel } from '@e3va/hub';
import { memoryWeights, WeightFileError, type WeightsReport } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  draw,
  fixturePath,
  imagesOf,
  maxDifference,
  readFixture,
  tensorOf,
  useBackend,
} from '../../test/helpers.ts';
import { SwinWeightsError } from '../errors.ts';
import { swinPresets } from '../presets.ts';
import { loadSwin, loadSwinClassifier } from './load.ts';

const path = fixturePath('w4_microsoft');

describe('loadSwin', () => {
  const folder = mkdtempSync(join(tmpdir(), 'swin weights '));
  let server: Server;
  let address = '';
  beforeAll(async () => {
    await useBackend('wasm');
    server = createServer((request, response) => {
      const found = request.url === '/w4.safetensors';
      response.writeHead(found ? 200 : 404).end(found ? readFileSync(path) : '');
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  function expectReference(model: LayersModel): void {
    const reference = readFixture('out_w4_128');
    tf.tidy(() => {
      const levels = model.predict(imagesOf(reference)) as tf.Tensor[];
      levels.forEach((level, s) => {
        expect(maxDifference(level, tensorOf(reference, `levels.${s}`))).toBeLessThan(1e-4);
      });
    });
    model.dispose();
  }

  it('reads a path, a file address, a web address and a folder', async () => {
    const model = join(folder, 'model');
    mkdirSync(model);
    copyFileSync(path, join(model, 'model.safetensors'));
    for (const source of [path, pathToFileURL(path).href, `${address}/w4.safetensors`, model]) {
      expectReference(await loadSwin(source));
    }
  });

  it('reads files that are open, and leaves them open', async () => {
    const files = await openModel(path);
    expectReference(await loadSwin(files));
    expectReference(await loadSwin(files));
    await files.close();
  });

  it.each(['hf_backbone', 'mmdet'])('gives the same levels from the names of %s', async (naming) => {
    expectReference(await loadSwin(fixturePath(`w4_${naming}`)));
  });

  it('takes another window, and reports what was resized', async () => {
    let report: WeightsReport | undefined;
    const model = await loadSwin(path, { window: 7, onReport: (r) => (report = r) });
    expect(report!.resized.length).toBe(8);
    expect(model.getLayer('stages.0.blocks.0.attn.core').getConfig().window).toBe(7);
    model.dispose();
  });

  it('nano: the weights that the package carries, with the levels asked for', async () => {
    const before = tf.memory().numTensors;
    const model = await loadSwin('nano', { outLevels: [1, 3], dropPath: 0.1 });
    expect(model.outputs.map(({ shape }) => shape)).toEqual([
      [null, null, null, 64],
      [null, null, null, 256],
    ]);
    expect(model.getLayer('stages.3.blocks.1.mlp').getConfig().rate).toBeCloseTo(0.1);
    expect(model.countParams()).toBe(swinPresets.nano.parameters - 2 * (32 + 128));
    const images = draw([1, 64, 64, 3], 1);
    tf.tidy(() => {
      // identity out-norms: each token of a level has mean 0 and variance 1
      for (const level of model.predict(images) as tf.Tensor[]) {
        const { mean, variance } = tf.moments(level, -1);
        expect(tf.max(tf.abs(mean)).dataSync()[0]).toBeLessThan(1e-4);
        expect(tf.max(tf.abs(tf.sub(variance, 1))).dataSync()[0]).toBeLessThan(1e-2);
      }
    });
    images.dispose();
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps the classifier on request: that of nano, 200 classes', async () => {
    const model = await loadSwinClassifier('nano', { imageSize: 128 });
    const [norm, head] = ['norm', 'head'].map((name) => model.getLayer(name).getWeights());
    expect(head![0]!.shape).toEqual([256, 200]);
    expect(tf.tidy(() => tf.sum(tf.abs(tf.concat([...norm!, head![1]!]))).dataSync()[0]!)).toBeGreaterThan(1);
    model.dispose();
    await expect(loadSwinClassifier(path)).rejects.toThrow(SwinWeightsError);
  });

  it('a missing file, a missing page and a file without a Swin are errors', async () => {
    await expect(loadSwin(join(folder, 'none.safetensors'))).rejects.toThrow(HubModelError);
    await expect(loadSwin(`${address}/other`)).rejects.toThrow(/404/);
    const weights = memoryWeights({ x: { shape: [1], data: new Float32Array(1) } });
    await expect(loadSwin({ weights })).rejects.toThrow(SwinWeightsError);
  });

  it('a damaged file leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    const file = join(folder, 'cut.safetensors');
    writeFileSync(file, readFileSync(path).subarray(0, 100_000));
    await expect(loadSwin(file)).rejects.toThrow(WeightFileError);
    expect(tf.memory().numTensors).toBe(before);
  });
});
