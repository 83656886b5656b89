import { readFileSync } from 'node:fs';
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
  adapt,
  adapter,
  bitFit,
  e3va,
  flatten,
  lora,
  type Method,
  modelFile,
  norm,
  partial,
  suggestTaps,
  TapError,
} from '../../src/index.ts';
import { maxDifference, weightBytes } from '../tiny-model.ts';
import { tinySwin } from '../tiny-swin.ts';
import { built, kerasModel, sine } from './zoo.ts';

/** A model, and layers of it that methods stand on. */
interface Subject {
  load: () => LayersModel | Promise<LayersModel>;
  /** LoRA's targets, and what the adapter stands behind. */
  targets: RegExp;
  after: RegExp;
  hasNorm: boolean;
}

const subjects: Record<string, Subject> = {
  'ResNet50-like, from Keras': {
    load: () => kerasModel('resnet_like'),
    targets: /_2_conv$/,
    after: /_3_bn$/,
    hasNorm: true,
  },
  'EfficientNet-like, from Keras': {
    load: () => kerasModel('efficientnet_like'),
    targets: /(expand|project)_conv$/,
    after: /project_bn$/,
    hasNorm: true,
  },
  'ViT-like, from Keras': {
    load: () => kerasModel('vit_like'),
    targets: /_(query|value)$/,
    after: /_(attention_out|mlp2)$/,
    hasNorm: true,
  },
  'chain by tf.sequential': { load: built.chain, targets: /^(conv1|fc)$/, after: /^custom$/, hasNorm: true },
  'two inputs and outputs, a shared layer': {
    load: built.twoInputs,
    targets: /^(shared|fc)$/,
    after: /^shared$/,
    hasNorm: false,
  },
  'nested models': { load: built.nested, targets: /^(after|fc)$/, after: /^after$/, hasNorm: false },
  'nested models, flattened': {
    load: () => flatten(built.nested()),
    targets: /^conv_/,
    after: /^conv_b$/,
    hasNorm: false,
  },
  Swin: { load: tinySwin, targets: /qkv$/, after: /\.(attn|mlp)$/, hasNorm: true },
};

const methods: Record<string, (subject: Subject) => Method> = {
  e3va: () => e3va({ rank: 2 }),
  lora: ({ targets }) => lora({ targets, rank: 2 }),
  adapter: ({ after }) => adapter({ after, width: 3 }),
  bitFit: () => bitFit(),
  norm: () => norm(),
  partial: ({ targets }) => partial({ layers: targets }),
};

/** A batch of two for each input. */
const inputsOf = (model: LayersModel): tf.Tensor[] =>
  model.inputs.map(({ shape }) => sine([2, ...shape.slice(1).map((n) => n ?? 32)]));
const one = <T>(list: T[]): T | T[] => (list.length === 1 ? list[0]! : list);
const list = (result: tf.Tensor | tf.Tensor[]): tf.Tensor[] => [result].flat();

const cases = Object.entries(subjects).flatMap(([name, subject]) =>
  Object.keys(methods)
    .filter((method) => subject.hasNorm || method !== 'norm')
    .map((method) => [name, method] as const),
);

describe('any model', () => {
  let folder: string;
  beforeAll(async () => {
    await tf.setBackend('wasm');
    await tf.ready();
    registerTrainingKernels();
    folder = await mkdtemp(join(tmpdir(), 'e3va-models-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(['resnet_like', 'efficientnet_like', 'vit_like'])(
    '%s predicts what Keras predicts',
    async (name) => {
      const model = await kerasModel(name);
      const json = readFileSync(new URL(`./${name}/prediction.json`, import.meta.url), 'utf8');
      const expected = tf.tensor2d(JSON.parse(json).output);
      const own = model.predict(one(inputsOf(model))) as tf.Tensor;
      expect(maxDifference(own, expected)).toBeLessThan(1e-5);
      const adapted = adapt(model, e3va());
      expect(maxDifference(adapted.model.predict(one(inputsOf(model))) as tf.Tensor, expected)).toBeLessThan(
        1e-5,
      );
    },
  );

  it.each(cases)('%s, %s: fresh as the base; fit trains it alone; files bring it back', async (name, key) => {
    const subject = subjects[name]!;
    const base = await subject.load();
    const bytes = weightBytes(base);
    const x = inputsOf(base);
    const own = list(base.predict(one(x)) as tf.Tensor);
    const method = methods[key]!(subject);
    const adapted = adapt(base, method);
    const { model } = adapted;
    expect(model.outputs.map(({ shape }) => shape)).toEqual(base.outputs.map(({ shape }) => shape));
    expect(model.inputs.map(({ shape }) => shape)).toEqual(base.inputs.map(({ shape }) => shape));
    list(model.predict(one(x)) as tf.Tensor).forEach((y, i) => {
      expect(maxDifference(y, own[i]!)).toBeLessThan(1e-5);
    });

    const before = adapted.trainableWeights.map((w) => w.read().dataSync().slice());
    const loss = (target: tf.Tensor, y: tf.Tensor) => tf.mean(tf.square(tf.sub(y, target)));
    model.compile({ optimizer: tf.train.adam(2e-3), loss });
    const targets = own.map((y) => tf.add(tf.mul(y, 0.5), 0.1));
    const train = async () => {
      const { history } = await model.fit(one(x), one(targets), { epochs: 1, batchSize: 2, verbose: 0 });
      return history.loss![0] as number;
    };
    const first = await train();
    const held = tf.memory().numTensors;
    const losses: number[] = [];
    for (let i = 0; i < 5; i++) losses.push(await train());
    expect(tf.memory().numTensors).toBe(held);
    expect(Math.min(...losses)).toBeLessThan(first);
    expect(weightBytes(base)).toEqual(bytes);
    const moved = adapted.trainableWeights.filter((w, i) =>
      w
        .read()
        .dataSync()
        .some((v, at) => v !== before[i]![at]),
    );
    // a bias in front of a softmax or a normalisation may get no gradient; the rest does
    expect(moved.length).toBeGreaterThan(0.7 * adapted.trainableWeights.length);

    const path = join(folder, `${key}-${name.replace(/\W+/g, '-')}`);
    await adapted.saveAdapter(path);
    const again = adapt(base, method);
    await again.loadAdapter(path);
    const trained = list(model.predict(one(x)) as tf.Tensor);
    list(again.model.predict(one(x)) as tf.Tensor).forEach((y, i) => {
      expect(maxDifference(y, trained[i]!)).toBe(0);
    });
    again.disableAdapter(() => {
      list(again.model.predict(one(x)) as tf.Tensor).forEach((y, i) => {
        expect(maxDifference(y, own[i]!)).toBeLessThan(1e-5);
      });
    });
    if (name === 'chain by tf.sequential') return; // its custom layer is not registered: a model file cannot name it
    await model.save(modelFile(`${path}-model`));
    const loaded = await loadLayersModel(modelFile(`${path}-model`));
    list(loaded.predict(one(x)) as tf.Tensor).forEach((y, i) => {
      expect(maxDifference(y, trained[i]!)).toBeLessThan(1e-6);
    });
  });

  it.each(Object.keys(subjects))(
    '%s: e3va records no weight of the frozen half on the tape',
    async (name) => {
      const base = await subjects[name]!.load();
      const adapted = adapt(base, e3va({ rank: 2 }));
      const x = inputsOf(base);
      const inFrozen = new Set(adapted.frozen.model.weights.map((w) => w.read().id));
      expect(inFrozen.size).toBeGreaterThan(0);
      const read: number[] = [];
      tf.tidy(() => {
        tf.variableGrads(
          () => {
            const outputs = adapted.apply(one(x), { training: true });
            const { state } = tf.engine() as unknown as {
              state: { activeTape: { inputs: tf.NamedTensorMap }[] };
            };
            read.push(...state.activeTape.flatMap(({ inputs }) => Object.values(inputs).map(({ id }) => id)));
            return tf.addN(outputs.map((y) => tf.mean(tf.square(y)))) as tf.Scalar;
          },
          adapted.trainableWeights.map((w) => w.read() as unknown as tf.Variable),
        );
      });
      expect(read.length).toBeGreaterThan(0);
      expect(read.filter((id) => inFrozen.has(id))).toEqual([]);
    },
  );

  it('merged LoRA is a model of the base’s own layers', async () => {
    for (const { load, targets } of Object.values(subjects).filter(({ load }) => load !== built.chain)) {
      const base = await load();
      const adapted = adapt(base, lora({ targets, rank: 2 }));
      adapted.trainableWeights.forEach((w, i) => {
        w.write(tf.randomNormal(w.shape as number[], 0, 0.3, 'float32', i + 1));
      });
      const merged = adapted.mergeAndUnload();
      expect(merged.layers.map((l) => l.getClassName())).toEqual(base.layers.map((l) => l.getClassName()));
      const x = inputsOf(base);
      const expected = list(adapted.model.predict(one(x)) as tf.Tensor);
      list(merged.predict(one(x)) as tf.Tensor).forEach((y, i) => {
        expect(maxDifference(y, expected[i]!)).toBeLessThan(1e-4);
      });
    }
  });

  it('a layer on the tape reads the mask of its embedding as in the base', () => {
    const base = built.text();
    const x = tf.tensor2d([
      [3, 4, 5, 0, 0, 0, 0, 0, 0],
      [1, 2, 0, 0, 0, 0, 0, 0, 0],
    ]);
    const own = base.predict(x) as tf.Tensor;
    for (const method of [bitFit(), adapter({ after: 'lstm', width: 2 }), lora({ targets: 'fc' })]) {
      const adapted = adapt(base, method);
      expect(maxDifference(adapted.model.predict(x) as tf.Tensor, own), method.name).toBeLessThan(1e-6);
      expect(maxDifference(adapted.apply(x)[0]!, own), method.name).toBeLessThan(1e-6);
    }
  });

  it('alsoTrain trains a layer of the base beside the adapter; it goes into the file and into the merged model', async () => {
    const base = await kerasModel('vit_like');
    const bytes = weightBytes(base);
    const options = { targets: /_query$/, rank: 2, alsoTrain: 'head' };
    const adapted = adapt(base, lora(options));
    const x = one(inputsOf(base));
    adapted.model.compile({ optimizer: tf.train.adam(0.01), loss: 'meanSquaredError' });
    const y = tf.zerosLike(base.predict(x) as tf.Tensor);
    await adapted.model.fit(x, y, { epochs: 2, verbose: 0 });
    const names = Object.keys(await adapted.adapterTensors());
    expect(names).toEqual(
      expect.arrayContaining(['head/kernel', 'head/bias', 'encoder_layer_0_attention_query/lora_A']),
    );
    await adapted.saveAdapter(join(folder, 'also'));
    const other = adapt(base, norm());
    await other.loadAdapter(join(folder, 'also'), { name: 'lora' });
    const expected = adapted.model.predict(x) as tf.Tensor;
    const [loaded] = Object.values(other.predictMany(x, ['lora'])) as tf.Tensor[];
    expect(maxDifference(loaded!, expected)).toBe(0);
    expect(maxDifference(adapted.mergeAndUnload().predict(x) as tf.Tensor, expected)).toBeLessThan(1e-5);
    expect(weightBytes(base)).toEqual(bytes);
    expect(() => adapt(base, lora({ ...options, alsoTrain: /_query$/ }))).toThrow(/method replaces/);
    expect(() => adapt(base, adapter({ after: /_mlp2$/, alsoTrain: 'features' }))).toThrow(TapError);
  });

  it('a pattern of names inside a nested model says so, and how to reach them', () => {
    const base = built.nested();
    const before = tf.memory().numTensors;
    for (const method of [
      e3va({ taps: /^conv_b$/ }),
      lora({ targets: 'conv_a' }),
      adapter({ after: ['conv_a'] }),
    ]) {
      expect(() => adapt(base, method)).toThrow(TapError);
      expect(() => adapt(base, method)).toThrow(
        /'conv_[ab]' stands inside the nested model '.*'[\s\S]*flatten\(model\)/,
      );
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it('flatten puts nested layers into the graph, and changes nothing', () => {
    const base = built.nested();
    const flat = flatten(base);
    expect(flat.layers.map((l) => l.name)).toContain('conv_b');
    const x = one(inputsOf(base));
    expect(maxDifference(flat.predict(x) as tf.Tensor, base.predict(x) as tf.Tensor)).toBe(0);
    expect(flat.countParams()).toBe(base.countParams());
  });

  it('suggestTaps names the layers of each model, and says why', async () => {
    const said = async (name: string) => suggestTaps(await subjects[name]!.load());
    const swinTaps = await said('Swin');
    const names = (await tinySwin()).layers.map((l) => l.name);
    expect(swinTaps.taps).toEqual(names.filter((n) => /\.(attn|mlp)$/.test(n)));
    expect(swinTaps.transition).toBe('inherit');
    expect((await said('ResNet50-like, from Keras')).taps).toEqual(
      [2, 3, 4].flatMap((s) => [1, 2].map((b) => `conv${s}_block${b}_3_bn`)),
    );
    const vit = await said('ViT-like, from Keras');
    expect(vit.taps).toEqual(
      [0, 1, 2].flatMap((b) => ['attention_out', 'mlp2'].map((n) => `encoder_layer_${b}_${n}`)),
    );
    for (const name of Object.keys(subjects)) {
      const { reasons, stages, taps } = await said(name);
      expect(reasons.length).toBeGreaterThan(0);
      expect(stages.flatMap((stage) => stage.taps)).toEqual(taps);
    }
  });
});
