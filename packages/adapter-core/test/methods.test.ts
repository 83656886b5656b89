import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { type LayersModel, loadLayersModel } from '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Adapted,
  adapt,
  adapter,
  adaptFormer,
  bitFit,
  e3va,
  frozen,
  full,
  loRand,
  lora,
  MergeError,
  MergeStateError,
  type Method,
  methodFromConfig,
  mona,
  norm,
  partial,
} from '../src/index.ts';
import { maxDifference, tinyBackbone, weightBytes } from './tiny-model.ts';

interface Case {
  /** Name of the case. */
  name: string;
  method: Method;
  /** Number of trained parameters on the tiny backbone. */
  count: number;
  /** Whether the adapter can be folded into the base. */
  merges?: boolean;
}

// the backbone: a stem of 3·3·3·6 + 6, four branches of 3 × 3 with 6, 6, 10, 10 channels, a transition, two norms
const kernels = (n: number) => 9 * n * n;
const branches = [6, 6, 10, 10];
const sum = (per: (channels: number) => number) => branches.reduce((total, c) => total + per(c), 0);
const norms = 2 * (6 + 10);

const cases: Case[] = [
  {
    name: 'e3va',
    method: e3va({ rank: 2, levels: [0, 1] }),
    count: 2 * (2 * 2 * (6 + 3) + 9) + 2 * (2 * 2 * 15 + 15) + norms,
  },
  {
    name: 'e3va pkq',
    method: e3va({ form: 'pkq', alpha: 2, beta: 2 }),
    count: 2 * (8 * 9 + 8 + 9) + 2 * (8 * 15 + 8 + 15) + norms,
  },
  {
    name: 'lora',
    method: lora({ targets: /\.mlp$/, rank: 2, alpha: 4 }),
    count: sum((c) => 2 * (9 * c + c)),
    merges: true,
  },
  {
    name: 'lora with rslora',
    method: lora({ targets: /\.mlp$/, rank: 2, rslora: true, init: 'gaussian' }),
    count: sum((c) => 2 * (9 * c + c)),
    merges: true,
  },
  {
    name: 'lora with DoRA',
    method: lora({ targets: /\.mlp$|down/, rank: 2, dora: true }),
    count: sum((c) => 2 * (9 * c + c) + c) + 2 * (4 * 6 + 10) + 10,
    merges: true,
  },
  { name: 'adapter', method: adapter({ width: 3 }), count: sum((c) => 2 * 3 * c + 3 + c) },
  {
    name: 'adapter with relu',
    method: adapter({ width: 3, activation: 'relu', after: /\.add$/ }),
    count: sum((c) => 2 * 3 * c + 3 + c),
  },
  {
    name: 'adaptFormer',
    method: adaptFormer({ width: 3, activation: 'gelu', dropout: 0 }),
    count: sum((c) => 2 * 3 * c + 3 + c),
  },
  { name: 'loRand', method: loRand({ beta: 2 }), count: sum((c) => 8 * (1.5 * c) + 8 + 1.5 * c) },
  {
    name: 'loRand with kernels of its own',
    method: loRand({ beta: 2, shared: false }),
    count: sum((c) => 8 * (1.5 * c) + 16 + 1.5 * c),
  },
  {
    name: 'mona',
    method: mona({ after: /\.add$/, width: 2, dropout: 0 }),
    count: sum((c) => 4 * c + 2 * 2 * c + 2 + c + 2 * (9 + 25 + 49) + 6 + 4 + 2),
  },
  { name: 'bitFit', method: bitFit(), count: 6 + 32 + 10 + 16, merges: true },
  { name: 'norm', method: norm(), count: norms, merges: true },
  { name: 'partial', method: partial(), count: kernels(10) + 10, merges: true },
  { name: 'frozen', method: frozen(), count: norms, merges: true },
  { name: 'full', method: full(), count: 0 },
];

const images = () => tf.randomNormal([2, 8, 12, 3], 0, 1, 'float32', 5);
const outputs = (base: LayersModel, x: tf.Tensor) => [base.predict(x) as tf.Tensor | tf.Tensor[]].flat();

/** Gives an adapter values that do something. */
async function stir(adapted: Adapted, size = 0.2): Promise<void> {
  const tensors = await adapted.adapterTensors();
  Object.entries(tensors).forEach(([name, { data }], at) => {
    const middle = /gamma|magnitude|scale/.test(name) ? 1 : 0;
    for (let i = 0; i < data.length; i++) data[i] = middle + Math.sin(1 + at * 3 + i) * size;
  });
  adapted.setAdapterTensors(tensors);
}

/** A smooth loss of the pyramid. */
const lossOf = (levels: tf.Tensor[]) =>
  tf.addN(
    levels.map((y) => tf.mean(tf.mul(y, tf.cos(tf.add(tf.mul(y, 0.3), tf.range(0, y.shape.at(-1)!)))))),
  ) as tf.Scalar;

const squaredError = (expected: tf.Tensor, given: tf.Tensor) =>
  tf.mean(tf.squaredDifference(expected, given), [1, 2, 3]);

function expectEqual(a: tf.Tensor[], b: tf.Tensor[], tolerance = 0): void {
  expect(a.length).toBe(b.length);
  a.forEach((t, i) => {
    expect(maxDifference(t, b[i]!)).toBeLessThanOrEqual(tolerance);
  });
}

async function savedAndLoaded(whole: LayersModel): Promise<LayersModel> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  const save = tf.io.withSaveHandler(async (given) => {
    artifacts = JSON.parse(JSON.stringify({ ...given, weightData: undefined }));
    artifacts!.weightData = given.weightData;
    return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
  });
  await whole.save(save);
  return loadLayersModel(tf.io.fromMemory(artifacts!));
}

describe.each(['cpu', 'wasm'])('on %s', (backend) => {
  let folder: string;
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
    folder = await mkdtemp(join(tmpdir(), 'e3va-methods-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  describe.each(cases)('$name', ({ name, method, count, merges }) => {
    const trainsBase = name === 'full';

    it('starts as the base, and trains the parameters it should', () => {
      const base = tinyBackbone();
      const adapted = adapt(base, method);
      const expected = trainsBase ? base.countParams() : count;
      expect(adapted.parameters.trainable).toBe(expected);
      tf.tidy(() => expectEqual(adapted.apply(images()), outputs(base, images())));
    });

    it('learns by fit, leaves the base as it was, and loses no tensor', async () => {
      const base = tinyBackbone();
      const before = weightBytes(base);
      const adapted = adapt(base, method);
      const x = images();
      const ys = tf.tidy(() => outputs(base, x).map((y) => tf.randomNormal(y.shape, 0, 1, 'float32', 3)));
      adapted.model.compile({ optimizer: tf.train.adam(0.01), loss: squaredError });
      const first = await adapted.model.fit(x, ys, { epochs: 1, batchSize: 2, verbose: 0 });
      const tensors = tf.memory().numTensors;
      const last = await adapted.model.fit(x, ys, { epochs: 4, batchSize: 2, verbose: 0 });
      expect(tf.memory().numTensors).toBe(tensors);
      expect(last.history.loss!.at(-1)).toBeLessThan(first.history.loss![0] as number);
      if (!trainsBase) expect(weightBytes(base)).toEqual(before);
    });

    it('has the gradient of finite differences for every weight', async () => {
      const adapted = adapt(tinyBackbone(1, 'tanh'), method);
      await stir(adapted);
      const x = images();
      const loss = () => lossOf(adapted.apply(x));
      // DoRA takes the norms of its kernels for constants: of its weights only the magnitudes have the true gradient
      const weights = adapted.trainableWeights.filter(
        ({ originalName }) => name !== 'lora with DoRA' || /magnitude$/.test(originalName),
      );
      const { grads } = tf.variableGrads(
        loss,
        weights.map((w) => w.read() as tf.Variable),
      );
      tf.tidy(() => {
        const at = () => loss().dataSync()[0]!;
        for (const w of weights) {
          const start = tf.clone(w.read());
          const direction = tf.randomNormal(start.shape, 0, 1, 'float32', 9);
          // small enough to cross few kinks
          const step = (name.includes('relu') ? 0.003 : 0.03) / Math.sqrt(start.size);
          const moved = [1, -1].map((sign) => {
            w.write(tf.add(start, tf.mul(direction, sign * step)));
            return at();
          });
          w.write(start);
          const expected = (moved[0]! - moved[1]!) / (2 * step);
          const given = tf.sum(tf.mul(grads[(w.read() as tf.Variable).name]!, direction)).dataSync()[0]!;
          expect(Math.abs(given - expected), w.originalName).toBeLessThan(2e-3 + 0.03 * Math.abs(expected));
        }
      });
      tf.dispose(grads);
    });

    it('is saved and loaded alone, and its configuration makes it again', async () => {
      const base = tinyBackbone();
      const adapted = adapt(base, method);
      const again = methodFromConfig(method.name, JSON.parse(JSON.stringify(method.config)));
      expect(again.config).toEqual(method.config);
      const other = adapt(trainsBase ? tinyBackbone(7) : base, again);
      expect(other.trainableWeights.map((w) => [w.originalName, w.shape])).toEqual(
        adapted.trainableWeights.map((w) => [w.originalName, w.shape]),
      );
      await stir(adapted);
      const path = join(folder, name.replaceAll(' ', '-'));
      await adapted.saveAdapter(path);
      await other.loadAdapter(path);
      tf.tidy(() => expectEqual(other.apply(images()), adapted.apply(images())));
    });

    it('is saved and loaded as a whole model', async () => {
      const adapted = adapt(tinyBackbone(), method);
      await stir(adapted);
      const loaded = await savedAndLoaded(adapted.model);
      tf.tidy(() => expectEqual(outputs(loaded, images()), adapted.apply(images()), 1e-6));
    });

    it('switched off, gives what the base gives', async () => {
      if (trainsBase) return;
      const base = tinyBackbone();
      const adapted = adapt(base, method);
      await stir(adapted);
      tf.tidy(() => {
        const own = outputs(base, images());
        expect(maxDifference(adapted.apply(images())[1]!, own[1]!)).toBeGreaterThan(1e-3);
        adapted.disableAdapter(() => expectEqual(adapted.apply(images()), own));
      });
    });

    it(merges ? 'merges into the base and out of it again' : 'says that it cannot be merged', async () => {
      const base = tinyBackbone();
      const before = weightBytes(base);
      const adapted = adapt(base, method);
      if (!merges) {
        if (!trainsBase) expect(() => adapted.mergeAdapter()).toThrow(MergeError);
        return;
      }
      await stir(adapted);
      const merged = adapted.mergeAndUnload();
      const x = images();
      tf.tidy(() => {
        const own = adapted.apply(x);
        expectEqual(outputs(merged, x), own, 1e-4);
        const tensors = tf.memory().numTensors;
        adapted.mergeAdapter();
        expectEqual(adapted.apply(x), own, 1e-4);
        adapted.unmergeAdapter();
        expectEqual(adapted.apply(x), own);
        expect(tf.memory().numTensors - tensors).toBe(2 * own.length);
      });
      expect(weightBytes(base)).toEqual(before);
    });
  });

  it('LoRA refuses to train while it is merged', async () => {
    const adapted = adapt(tinyBackbone(), lora({ targets: /mlp$/ }));
    adapted.mergeAdapter();
    expect(() => adapted.apply(images(), { training: true })).toThrow(MergeStateError);
  });
});
