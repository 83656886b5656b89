import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuplicateTfjsError, registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { type LayersModel, loadLayersModel, sequential } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  AdapterBaseError,
  AdapterFileError,
  adapt,
  BaseModelError,
  type E3vaOptions,
  e3va,
  frozen,
  full,
  HighwayStage,
  type Method,
  MethodOptionError,
  SafetensorsError,
  TapError,
} from '../src/index.ts';
import { maxDifference, tinyBackbone, tinyChain, weightBytes } from './tiny-model.ts';

const images = () => tf.randomNormal([2, 20, 28, 3], 0, 1, 'float32', 5);

const variants: [string, E3vaOptions][] = [
  ['pq', {}],
  ['pkq', { form: 'pkq', beta: 3 }],
  ['rank 2, frozen norms', { rank: 2, outNorms: 'frozen' }],
  ['last level', { levels: [1] }],
  ['pool-project', { transition: 'pool-project', rank: 3 }],
];

/** A scalar a map: tfjs-layers adds the losses of several outputs unreduced, and these differ in size. */
const meanSquare = (target: tf.Tensor, y: tf.Tensor) => tf.mean(tf.square(tf.sub(y, target)));

/** Some epochs of `fit` towards zero maps; returns the losses. */
async function fitSome(model: LayersModel, epochs: number): Promise<number[]> {
  const x = images();
  const ys = model.predict(x) as tf.Tensor | tf.Tensor[];
  const targets = [ys].flat().map((y) => tf.zerosLike(y));
  model.compile({ optimizer: tf.train.adam(0.02), loss: meanSquare });
  const { history } = await model.fit(x, targets.length > 1 ? targets : targets[0]!, {
    epochs,
    batchSize: 2,
    verbose: 0,
  });
  tf.dispose([x, targets, ys]);
  return history.loss as number[];
}

describe.each(['cpu', 'wasm'])('adapt on %s', (backend) => {
  let folder: string;
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
    folder = await mkdtemp(join(tmpdir(), 'e3va-adapt-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(variants)('%s: a fresh highway gives the pyramid of the base', (_, options) => {
    const base = tinyBackbone();
    const adapted = adapt(base, e3va(options));
    tf.tidy(() => {
      const x = images();
      const own = base.predict(x) as tf.Tensor[];
      const expected = (options.levels ?? [0, 1]).map((i) => own[i]!);
      const pyramid = adapted.apply(x);
      expect(pyramid.length).toBe(expected.length);
      pyramid.forEach((level, i) => {
        expect(maxDifference(level, expected[i]!)).toBeLessThan(1e-6);
      });
      const joined = [adapted.model.predict(x) as tf.Tensor | tf.Tensor[]].flat();
      joined.forEach((level, i) => {
        expect(maxDifference(level, expected[i]!)).toBeLessThan(1e-6);
      });
    });
    base.dispose();
  });

  it.each(variants)(
    '%s: fit lowers the loss, trains every weight, and leaves the base as it was',
    async (_, options) => {
      const base = tinyBackbone();
      const before = weightBytes(base);
      const adapted = adapt(base, e3va(options));
      const fresh = adapted.trainableWeights.map((w) => tf.clone(w.read()));
      const losses = await fitSome(adapted.model, 8);
      expect(losses.at(-1)).toBeLessThan(losses[0]!);
      expect(weightBytes(base)).toEqual(before);
      adapted.trainableWeights.forEach((w, i) => {
        expect(maxDifference(w.read(), fresh[i]!), w.originalName).toBeGreaterThan(0);
      });
      expect(adapted.model.trainableWeights.length).toBe(adapted.trainableWeights.length);
      tf.dispose(fresh);
      base.dispose();
    },
  );

  it('the frozen half leaks nothing and holds only the taps', () => {
    const adapted = adapt(tinyBackbone(), e3va());
    const x = images();
    const before = tf.memory().numTensors;
    const taps = adapted.taps(x);
    expect(tf.memory().numTensors).toBe(before + taps.length);
    tf.dispose(taps);
    tf.dispose(adapted.apply(x));
    expect(tf.memory().numTensors).toBe(before);
  });

  it('nothing of the base is recorded on the tape', () => {
    const base = tinyBackbone();
    const adapted = adapt(base, e3va());
    const x = images();
    const seen: string[] = [];
    tf.tidy(() => {
      tf.variableGrads(
        () => {
          const loss = tf.addN(adapted.apply(x, { training: true }).map((y) => tf.mean(tf.square(y))));
          const tape = (tf.engine() as unknown as { state: { activeTape: { kernelName: string }[] } }).state
            .activeTape;
          seen.push(...tape.map((node) => node.kernelName));
          return loss as tf.Scalar;
        },
        adapted.trainableWeights.map((w) => w.read() as unknown as tf.Variable),
      );
    });
    // the transition that the highway inherits is one operation of its own, which holds nothing
    expect(seen.filter((name) => /conv2d/i.test(name)).length).toBe(0);
    expect(seen.filter((name) => /relu/i.test(name)).length).toBe(0);
  });

  it('the joined model runs the frozen half and each layer of the highway once', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }));
    const x = images();
    adapted.model.compile({ optimizer: 'sgd', loss: meanSquare });
    const run = vi.spyOn(adapted.frozen, 'run');
    const stages = adapted.highway.layers.filter((layer) => layer instanceof HighwayStage);
    const calls = stages.map((stage) => vi.spyOn(stage, 'call'));
    const ys = adapted.model.predict(x) as tf.Tensor[];
    expect([run, ...calls].map((spy) => spy.mock.calls.length)).toEqual([1, 1, 1]);
    await adapted.model.trainOnBatch(
      x,
      ys.map((y) => tf.zerosLike(y)),
    );
    expect([run, ...calls].map((spy) => spy.mock.calls.length)).toEqual([2, 2, 2]);
  });

  it('saves an adapter of the trained weights alone, and loads it on the same base', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }));
    await fitSome(adapted.model, 2);
    const path = join(folder, `adapter-${backend}.safetensors`);
    await adapted.saveAdapter(`file://${path}`);
    const other = adapt(tinyBackbone(), e3va({ rank: 2 }));
    await other.loadAdapter(path);
    tf.tidy(() => {
      const x = images();
      const [a, b] = [adapted.apply(x), other.apply(x)];
      a.forEach((level, i) => {
        expect(maxDifference(level, b[i]!)).toBe(0);
      });
    });
    expect((await readFile(path)).byteLength).toBeLessThan(4 * adapted.parameters.trainable + 4000);
  });

  it('saves and loads through a tf.io handler', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, init: 'kaiming' }));
    let kept: tf.io.ModelArtifacts | undefined;
    await adapted.saveAdapter({
      save: async (artifacts) => {
        kept = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      },
    });
    const other = adapt(tinyBackbone(), e3va({ rank: 2, seed: 9, init: 'kaiming' }));
    const x = images();
    const difference = () => tf.tidy(() => maxDifference(adapted.apply(x)[0]!, other.apply(x)[0]!));
    expect(difference()).toBeGreaterThan(0.01);
    await other.loadAdapter({ load: async () => kept! });
    expect(difference()).toBe(0);
  });

  it('loads an adapter over http, and says what the server answered if it cannot', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, init: 'kaiming' }));
    const path = join(folder, `http-${backend}.safetensors`);
    await adapted.saveAdapter(path);
    const server = createServer(async (request, response) => {
      if (request.url === '/adapter.safetensors') response.end(await readFile(path));
      else response.writeHead(404).end();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const other = adapt(tinyBackbone(), e3va({ rank: 2 }));
    await other.loadAdapter(`${address}/adapter.safetensors`);
    expect(await other.adapterTensors()).toEqual(await adapted.adapterTensors());
    await expect(other.loadAdapter(`${address}/absent`)).rejects.toThrow(/HTTP 404/);
    server.close();
    server.closeAllConnections();
    await expect(other.loadAdapter(`${address}/adapter.safetensors`)).rejects.toThrow(AdapterFileError);
  });

  it('refuses adapters of another base, method or shape, and damaged files, and changes nothing then', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }));
    const path = join(folder, `refuse-${backend}.safetensors`);
    await adapted.saveAdapter(path);
    const bytes = await readFile(path);
    const truncated = join(folder, 'truncated.safetensors');
    await writeFile(truncated, bytes.subarray(0, bytes.byteLength - 40));
    const target = adapt(tinyBackbone(), e3va({ rank: 3 }));
    const before = JSON.stringify(await target.adapterTensors());
    await expect(target.loadAdapter(path)).rejects.toThrow(AdapterFileError);
    await expect(target.loadAdapter(truncated)).rejects.toThrow(SafetensorsError);
    await expect(target.loadAdapter(join(folder, 'absent'))).rejects.toThrow(/cannot read adapter file/);
    await expect(adapt(tinyBackbone(), frozen()).loadAdapter(path)).rejects.toThrow(/another method/);
    await expect(adapt(tinyBackbone(7), e3va({ rank: 2 })).loadAdapter(path)).rejects.toThrow(
      AdapterBaseError,
    );
    expect(JSON.stringify(await target.adapterTensors())).toBe(before);
  });

  it('the joined model saves and loads as any LayersModel', async () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2, init: 'kaiming' }));
    let kept: tf.io.ModelArtifacts | undefined;
    await adapted.model.save({
      save: async (artifacts) => {
        kept = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      },
    });
    const loaded = await loadLayersModel({ load: async () => kept! });
    tf.tidy(() => {
      const x = images();
      const [a, b] = [adapted.apply(x), loaded.predict(x) as tf.Tensor[]];
      a.forEach((level, i) => {
        expect(maxDifference(level, b[i]!)).toBe(0);
      });
    });
    const names = (model: LayersModel) => model.trainableWeights.map((w) => w.originalName).sort();
    expect(names(loaded)).toEqual(names(adapted.model));
  });

  it.each<[string, () => Method]>([
    ['frozen', frozen],
    ['full', full],
  ])('%s gives the pyramid of the base and trains what it should', async (name, method) => {
    const base = tinyBackbone();
    const before = weightBytes(base);
    const adapted = adapt(base, method());
    tf.tidy(() => {
      const x = images();
      const own = base.predict(x) as tf.Tensor[];
      adapted.apply(x).forEach((level, i) => {
        expect(maxDifference(level, own[i]!)).toBeLessThan(1e-6);
      });
    });
    const losses = await fitSome(adapted.model, 3);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    expect(adapted.parameters.trainable).toBe(name === 'full' ? base.countParams() : 2 * (6 + 10));
    if (name === 'frozen') expect(weightBytes(base)).toEqual(before);
    else expect(weightBytes(base)).not.toEqual(before);
  });
});

describe('adapt', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('names the levels with channels and stride', () => {
    expect(adapt(tinyBackbone(), e3va()).levels).toEqual([
      { name: 'norm0', channels: 6, stride: 2 },
      { name: 'norm1', channels: 10, stride: 4 },
    ]);
  });

  it('counts and prints parameters by tap', () => {
    const adapted = adapt(tinyBackbone(), e3va({ rank: 2 }));
    // two adapters a stage, 2·r·(C + m) + C + m each, and two norms of 2C
    const adapters = [6, 10].map((c) => 2 * (2 * 2 * (c + c / 2) + c + c / 2));
    expect(adapted.parameters.trainable).toBe(adapters[0]! + adapters[1]! + 2 * 6 + 2 * 10);
    const lines: string[] = [];
    adapted.summary((line) => lines.push(line));
    expect(lines.join('\n')).toContain('stages.0.blocks.0.mlp, stages.0.blocks.1.mlp');
    expect(lines.at(-2)).toMatch(/^Trainable params: 2\d\d \(\d+\.\d\d %\)$/);
  });

  it('a pattern that matches nothing lists near names', () => {
    expect(() => adapt(tinyBackbone(), e3va({ taps: /blocks\.\d\.mpl$/ }))).toThrow(TapError);
    expect(() => adapt(tinyBackbone(), e3va({ taps: /blocks\.\d\.mpl$/ }))).toThrow(
      /near ones are .*blocks\.\d\.mlp/,
    );
    expect(() => adapt(tinyBackbone(), e3va({ taps: ['stem', 'nosuch'] }))).toThrow(/matches nosuch/);
  });

  it('inherit explains what it cannot do; auto takes pool-project then, and leaves no weight behind', () => {
    const base = tinyChain();
    const inherit = (taps: RegExp | string) => () => adapt(base, e3va({ taps, transition: 'inherit' }));
    const before = tf.memory().numTensors;
    expect(inherit(/conv/)).toThrow(/except through other taps: conv0, conv1/);
    expect(inherit('conv1')).toThrow(/'conv2' reads it/);
    expect(tf.memory().numTensors).toBe(before);
    const adapted = adapt(base, e3va({ taps: /conv/ }));
    expect(adapted.levels).toEqual([{ name: 'conv2', channels: 8, stride: 4 }]);
  });

  it('refuses what is no LayersModel, or one of another copy of tfjs', () => {
    const adaptAny = (base: unknown) => () => adapt(base as LayersModel, e3va());
    expect(adaptAny(undefined)).toThrow(BaseModelError);
    expect(adaptAny({ executor: 1, predict() {} })).toThrow(/tfjs_layers_model/);
    expect(adaptAny(sequential())).toThrow(/has no outputs yet/);
    const { inputs, outputs, weights, name, layers } = tinyBackbone();
    expect(adaptAny({ inputs, outputs, weights, name, layers })).toThrow(DuplicateTfjsError);
  });

  it('refuses options that make no sense', () => {
    expect(() => e3va({ rank: 0 })).toThrow(MethodOptionError);
    expect(() => e3va({ form: 'pqr' as 'pq' })).toThrow(/expected: pq or pkq/);
  });
});
