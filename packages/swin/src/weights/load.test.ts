import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encodeSafetensors, SafetensorsError } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  draw,
  fixturePath,
  imagesOf,
  maxDifference,
  readFixture,
  referenceConfigs,
  tensorOf,
  useBackend,
} from '../../test/helpers.ts';
import { SwinWeightsError } from '../errors.ts';
import { swinPresets } from '../presets.ts';
import { loadSwin } from './load.ts';

const config = referenceConfigs.w4;
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

  it('reads a path, a file address and a web address', async () => {
    for (const source of [path, pathToFileURL(path).href, `${address}/w4.safetensors`]) {
      expectReference(await loadSwin(source, { config }));
    }
  });

  it('takes the architecture from the metadata', async () => {
    const { tensors } = readFixture('w4_microsoft');
    const told = { embed_dim: 8, depths: [2, 2, 2, 2], num_heads: [1, 2, 2, 4], window_size: 4 };
    const file = join(folder, 'told # 1.safetensors');
    writeFileSync(file, encodeSafetensors(Object.fromEntries(tensors), { config: JSON.stringify(told) }));
    expectReference(await loadSwin(file));
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

  it('says what to do about a preset without weights, a missing file and a missing page', async () => {
    await expect(loadSwin('tiny')).rejects.toThrow(SwinWeightsError);
    await expect(loadSwin('tiny')).rejects.toThrow(
      /no weights for 'tiny'\n {2}expected: nano, or .*\n {2}to do: .*config: swinPresets\['tiny'\]/,
    );
    await expect(loadSwin(join(folder, 'none.safetensors'))).rejects.toThrow(
      /cannot read .*none\.safetensors\n.*ENOENT/,
    );
    await expect(loadSwin(`${address}/other`)).rejects.toThrow(
      /cannot read http.*\n {2}received: HTTP status 404/,
    );
  });

  it('says when the file does not tell its architecture', async () => {
    await expect(loadSwin(path)).rejects.toThrow(
      /does not tell its architecture\n.*\n {2}received: no key config/,
    );
    const file = join(folder, 'odd.safetensors');
    const tensor = { x: { shape: [1], data: new Float32Array(1) } };
    writeFileSync(file, encodeSafetensors(tensor, { config: '{' }));
    await expect(loadSwin(file)).rejects.toThrow(/received: a config that is not JSON/);
    writeFileSync(file, encodeSafetensors(tensor, { config: '{"depths":[2]}' }));
    await expect(loadSwin(file)).rejects.toThrow(/received: \{"depths":\[2\]\}/);
  });

  it('a file that does not fit, or a damaged one, leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    await expect(loadSwin(path, { config: { ...config, window: 7 } })).rejects.toThrow(
      /8 of another shape: layers\.0\.blocks\.0\.attn\.relative_position_bias_table \[49,1\] instead of \[169,1\]/,
    );
    const file = join(folder, 'cut.safetensors');
    writeFileSync(file, readFileSync(path).subarray(0, 100_000));
    await expect(loadSwin(file, { config })).rejects.toThrow(SafetensorsError);
    expect(tf.memory().numTensors).toBe(before);
  });
});
