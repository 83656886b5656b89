import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AdamW, type AdamWOptions } from './adamw.ts';
import { isDecayed } from './decay.ts';
import { WeightAverage } from './ema.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

interface Parameter {
  name: string;
  values: number[];
}

/** The published update, one number at a time in double precision. */
function reference(
  parameters: Parameter[],
  gradients: number[][][],
  options: Required<AdamWOptions>,
): number[][] {
  const p = parameters.map((x) => [...x.values]);
  const m = p.map((x) => x.map(() => 0));
  const v = p.map((x) => x.map(() => 0));
  gradients.forEach((step, t) => {
    const norm = Math.sqrt(step.flat().reduce((sum, g) => sum + g * g, 0));
    const scale = Math.min(1, options.clipNorm / (norm + 1e-6));
    p.forEach((x, i) => {
      const rate = options.learningRate * options.rateOf(parameters[i]!.name);
      for (let j = 0; j < x.length; j++) {
        const g = step[i]![j]! * scale;
        if (options.decays(parameters[i]!.name)) x[j]! *= 1 - rate * options.weightDecay;
        m[i]![j] = options.beta1 * m[i]![j]! + (1 - options.beta1) * g;
        v[i]![j] = options.beta2 * v[i]![j]! + (1 - options.beta2) * g * g;
        const mHat = m[i]![j]! / (1 - options.beta1 ** (t + 1));
        const vHat = v[i]![j]! / (1 - options.beta2 ** (t + 1));
        x[j]! -= (rate * mHat) / (Math.sqrt(vHat) + options.epsilon);
      }
    });
  });
  return p;
}

const wave = (n: number, phase: number) => Array.from({ length: n }, (_, i) => Math.sin(i * 1.7 + phase));
const variables: tf.Variable[] = [];
const make = (name: string, values: number[], shape?: number[]) => {
  const v = tf.tidy(() => tf.variable(tf.tensor(values, shape), true, name));
  variables.push(v);
  return v;
};
afterEach(() => {
  tf.dispose(variables.splice(0));
});

const options: Required<AdamWOptions> = {
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.05,
  clipNorm: 1e9,
  decays: isDecayed,
  rateOf: () => 1,
};

async function compare(changed: Partial<AdamWOptions>): Promise<void> {
  const used = { ...options, ...changed } as Required<AdamWOptions>;
  const parameters: Parameter[] = [
    { name: 'a/kernel', values: wave(6, 0) },
    { name: 'a/bias', values: wave(3, 1) },
    { name: 'norm0/gamma', values: wave(3, 2) },
    { name: 'big/kernel', values: wave(70_000, 3) },
    { name: 'attn/relative_position_bias_table', values: wave(4, 4) },
  ];
  const steps = [0, 1, 2].map((t) => parameters.map((p, i) => wave(p.values.length, 10 * t + i)));
  const held = parameters.map((p) => make(p.name, p.values));
  const optimizer = new AdamW(used);
  for (const step of steps) {
    const grads = Object.fromEntries(held.map((v, i) => [v.name, tf.tensor1d(step[i]!)]));
    optimizer.applyGradients(grads);
    tf.dispose(grads);
  }
  const expected = reference(parameters, steps, used);
  for (const [i, v] of held.entries()) {
    const got = await v.data();
    const error = expected[i]!.reduce((worst, x, j) => Math.max(worst, Math.abs(x - got[j]!)), 0);
    expect(error, v.name).toBeLessThan(3e-7);
  }
  optimizer.dispose();
}

describe('AdamW', () => {
  it('equals the published update, with the decay rule of the paper', () => compare({}));
  it('clips by the norm of all gradients together', () => compare({ clipNorm: 0.5 }));
  it('takes a learning-rate factor for each variable', () =>
    compare({ rateOf: (name) => (name.startsWith('a/') ? 0.3 : 1) }));

  it('gives the numbers of torch.optim.AdamW by hand: first step is lr·sign(g), after decay', async () => {
    const w = make('hand/kernel', [1, -2]);
    const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0.1 });
    const g = tf.tensor1d([0.3, -5]);
    optimizer.applyGradients({ [w.name]: g });
    const got = [...(await w.data())];
    expect(got[0]).toBeCloseTo(1 * 0.99 - 0.1, 6);
    expect(got[1]).toBeCloseTo(-2 * 0.99 + 0.1, 6);
    tf.dispose(g);
    optimizer.dispose();
  });

  it('leaves a variable without gradient alone, and resumes its moments later', async () => {
    const a = make('one', [1]);
    const b = make('two', [1]);
    const optimizer = new AdamW({ learningRate: 0.1, weightDecay: 0.1 });
    const g = tf.tensor1d([1]);
    optimizer.applyGradients({ one: g, two: g });
    const before = (await b.data())[0];
    optimizer.applyGradients({ one: g });
    expect((await b.data())[0]).toBe(before);
    const state = await optimizer.getWeights();
    expect(state.map((s) => s.name).sort()).toEqual(['iter', 'one/m', 'one/v', 'two/m', 'two/v']);
    expect((await state.find((s) => s.name === 'two/m')!.tensor.data())[0]).toBeCloseTo(0.1, 6);
    optimizer.applyGradients({ one: g, two: g });
    expect((await b.data())[0]).toBeLessThan(before!);
    expect((await a.data())[0]).toBeCloseTo(1 - 0.3 - 0.029, 2);
    tf.dispose([g, ...state.map((s) => s.tensor)]);
    optimizer.dispose();
  });

  it('continues bit for bit from its saved state, and leaks nothing', async () => {
    const start = tf.memory().numTensors;
    const w = make('resume/kernel', wave(8, 0), [2, 4]);
    const gradient = (t: number) => tf.tensor2d(wave(8, t), [2, 4]);
    const run = (optimizer: AdamW, from: number, to: number) => {
      for (let t = from; t < to; t++) {
        const g = gradient(t);
        optimizer.applyGradients({ [w.name]: g });
        g.dispose();
      }
    };
    const first = new AdamW();
    run(first, 0, 3);
    const held = tf.memory().numTensors;
    const saved = { weights: await w.array(), state: await first.getWeights() };
    run(first, 3, 6);
    const whole = [...(await w.data())];
    tf.tidy(() => w.assign(tf.tensor2d(saved.weights as number[][])));
    const second = new AdamW();
    await second.setWeights(saved.state);
    run(second, 3, 6);
    expect([...(await w.data())]).toEqual(whole);
    tf.dispose(saved.state.map((s) => s.tensor));
    second.dispose();
    expect(tf.memory().numTensors).toBe(held);
    first.dispose();
    expect(tf.memory().numTensors).toBe(start + 1);
  });

  it('trains a compiled LayersModel', async () => {
    const model = layers.sequential({
      layers: [layers.layers.dense({ units: 1, inputShape: [2], kernelInitializer: 'zeros' })],
    });
    model.compile({ optimizer: new AdamW({ learningRate: 0.05, weightDecay: 0 }), loss: 'meanSquaredError' });
    const x = tf.tensor2d([[0, 1], [1, 0], [1, 1], [0, 0]]); // biome-ignore format: one line
    const y = tf.tensor2d([[1], [2], [3], [0]]);
    await model.fit(x, y, { epochs: 5, verbose: 0 });
    const held = tf.memory().numTensors;
    const history = await model.fit(x, y, { epochs: 150, verbose: 0 });
    expect(history.history.loss!.at(-1)).toBeLessThan(0.02);
    expect(tf.memory().numTensors).toBe(held);
    tf.dispose([x, y]);
    model.dispose();
  });
});

describe('WeightAverage', () => {
  it('averages, swaps both ways bit for bit, and restores', async () => {
    const w = make('ema/kernel', [1, 2]);
    const average = new WeightAverage([w], 0.5);
    tf.tidy(() => w.assign(tf.tensor1d([3, 4])));
    average.update(); // d = min(0.5, 1/10)
    average.swap();
    expect((await w.data())[0]).toBeCloseTo(0.1 * 1 + 0.9 * 3, 6);
    average.swap();
    expect([...(await w.data())]).toEqual([3, 4]);
    const values = average.values();
    const other = new WeightAverage([w], 0.5);
    other.restore(values, average.count);
    const copy = other.values();
    expect([...(await copy[0]!.data())]).toEqual([...(await values[0]!.data())]);
    expect(other.count).toBe(1);
    tf.dispose([...values, ...copy]);
    average.dispose();
    other.dispose();
  });
});

describe('isDecayed', () => {
  it('spares norms and position tables, not biases', () => {
    const names = [
      'norm0/gamma',
      'x.norm1/beta_2',
      'attn/relative_position_bias_table',
      'absolute_pos_embed',
    ];
    expect(names.map(isDecayed)).toEqual([false, false, false, false]);
    expect(['a/kernel', 'a/bias_3', 'stages.0.highway/down_p'].map(isDecayed)).toEqual([true, true, true]);
  });
});
