import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HubNotFoundError } from '@e3va/hub';
import { WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { fixturePath, maxDifference, useBackend } from '../../../test/helpers.ts';
import { boundConfig, v2Images, v2Json, v2Weights } from '../../../test/v2.ts';
import { swinV2Presets } from '../presets.ts';
import { swinV2 } from '../swin-v2.ts';
import { loadSwinV2Weights } from './assign.ts';
import { loadSwinV2 } from './load.ts';

const json = v2Json('bound_config');

/** Runs `use` with a server that has nothing, and gives the paths that it was asked for. */
async function askedOf(use: (address: string) => Promise<void>): Promise<string[]> {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    paths.push(request.url ?? '');
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  server.close();
  return paths;
}

describe('loadSwinV2', () => {
  beforeAll(() => useBackend('cpu'));

  it('gives levels as asked, the same model as by hand, and leaves nothing behind on an error', async () => {
    const before = tf.memory().numTensors;
    const files = { weights: v2Weights('bound_hf'), config: json };
    let loaded = 0;
    const model = await loadSwinV2(files, {
      outLevels: [1, 3],
      dropPath: 0.3,
      onReport: (report) => {
        loaded = report.loaded.length;
      },
    });
    expect(loaded).toBe(model.weights.length - 4 + 2 * 8); // without out-norms; queries, keys and values of 8 blocks apart
    expect(model.getLayer('stages.3.blocks.1.attn').getConfig().rate).toBeCloseTo(0.3, 9);
    const byHand = swinV2({ ...boundConfig, outLevels: [1, 3] });
    await loadSwinV2Weights(byHand, files.weights);
    tf.tidy(() => {
      const images = v2Images(1, 40, 52);
      const [got, expected] = [model, byHand].map((m) => m.predict(images) as tf.Tensor[]);
      expect(got!.map((level) => level.shape)).toEqual([
        [1, 5, 7, 8],
        [1, 2, 2, 32],
      ]);
      got!.forEach((level, i) => {
        expect(maxDifference(level, expected![i]!)).toBe(0);
      });
    });
    model.dispose();
    byHand.dispose();
    const given = { ...boundConfig, depths: [2, 2, 3, 2] };
    await expect(loadSwinV2(files, { config: given })).rejects.toThrow(WeightsMismatchError);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('opens a folder or a file and closes it; a file alone does not tell the windows', async () => {
    const before = tf.memory().numTensors;
    const folder = mkdtempSync(join(tmpdir(), 'swin v2 '));
    const alone = fixturePath('v2/bound_hf');
    copyFileSync(alone, join(folder, 'model.safetensors'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify(json));
    const models = [
      await loadSwinV2(folder),
      await loadSwinV2(join(folder, 'model.safetensors')),
      await loadSwinV2(alone, { config: boundConfig }),
      await loadSwinV2(fixturePath('v2/bound_microsoft')),
    ];
    const [first, ...others] = models.map((model) => model.weights.map((w) => w.read()));
    for (const weights of others) {
      expect(
        weights.map((w, i) => maxDifference(w, first![i]!)).every((difference) => difference === 0),
      ).toBe(true);
    }
    const windows = models.map((model) => model.getLayer('stages.3.blocks.1.attn.core').getConfig().window);
    expect(windows).toEqual([2, 2, 2, 2]);
    for (const model of models) model.dispose();
    await expect(loadSwinV2(alone)).rejects.toThrow(/does not tell the windows/);
    rmSync(folder, { recursive: true });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('asks the hub for the repository of a preset', async () => {
    const cacheDir = mkdtempSync(join(tmpdir(), 'swin v2 cache '));
    const paths = await askedOf(async (endpoint) => {
      const hub = { endpoint, token: false, cacheDir, retryDelay: 1, offline: false } as const;
      await expect(loadSwinV2('base-window12to16', hub)).rejects.toThrow(HubNotFoundError);
    });
    expect(paths.length).toBeGreaterThan(0);
    const { hub } = swinV2Presets['base-window12to16'];
    expect(paths.filter((path) => !path.includes(hub))).toEqual([]);
    rmSync(cacheDir, { recursive: true });
  });
});
