import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import {
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';
import { beforeAll, expect, it } from 'vitest';
import { adapt, e3va, flatten, suggestTaps, TapError } from '../../src/index.ts';
import { maxDifference } from '../tiny-model.ts';
import { sine } from './zoo.ts';

beforeAll(() => tf.setBackend('cpu'));

const side = [8, 8, 3];
const apply = (layer: unknown, x: SymbolicTensor | SymbolicTensor[]) =>
  (layer as layers.Layer).apply(x) as SymbolicTensor;

/** Two convolutions, the second added to the first, as a model of its own. */
function body(name: string, layerNames = ['first', 'second']): LayersModel {
  const x = input({ shape: side });
  const [a, b] = layerNames.map((n) =>
    layers.conv2d({ name: n, filters: 4, kernelSize: 3, padding: 'same', activation: 'tanh' }),
  );
  const first = apply(a, x);
  const sum = apply(layers.add({ name: `${name}_add` }), [first, apply(b, first)]);
  return model({ inputs: x, outputs: sum, name });
}

/** A classifier behind a nested model. */
function around(nested: LayersModel, name = 'around'): LayersModel {
  const x = input({ shape: side });
  const pooled = apply(layers.globalAveragePooling2d({ name: `${name}_gap` }), apply(nested, x));
  const scores = apply(layers.dense({ name: `${name}_fc`, units: 2 }), pooled);
  return model({ inputs: x, outputs: scores, name });
}

const same = (a: LayersModel, b: LayersModel) => {
  const x = a.inputs.map(({ shape }, i) => tf.add(sine([2, ...(shape.slice(1) as number[])]), i));
  const [p, q] = [a, b].map((m) => m.predict(x.length > 1 ? x : x[0]!) as tf.Tensor);
  return maxDifference(p!, q!);
};

it('a model used in two places is flattened to one set of layers', () => {
  const shared = body('shared');
  const x = input({ shape: side });
  const wrapper = model({ inputs: x, outputs: apply(shared, x), name: 'wrapper' });
  const pair = [input({ shape: side }), input({ shape: side })];
  const both = [apply(shared, pair[0]!), apply(wrapper, pair[1]!)];
  const base = model({ inputs: pair, outputs: apply(layers.concatenate({ name: 'both' }), both) });
  const flat = flatten(base);
  expect(flat.layers.slice(2).map((l) => l.name)).toEqual(['first', 'second', 'shared_add', 'both']);
  expect(same(base, flat)).toBe(0);
  expect(same(base, adapt(flat, e3va({ rank: 2 })).model)).toBe(0);
});

it('layers keep their names where these are single, and have the path in front where they are not', () => {
  const x = input({ shape: side });
  const pair = [apply(body('one'), x), apply(body('two', ['first', 'third']), x)];
  const base = model({ inputs: x, outputs: apply(layers.add({ name: 'sum' }), pair) });
  const flat = flatten(base);
  expect(
    flat.layers
      .slice(1)
      .map((l) => l.name)
      .sort(),
  ).toEqual(['first', 'one_add', 'second', 'sum', 'third', 'two/first', 'two_add'].sort());
  expect(same(base, flat)).toBe(0);
});

it('shares the memory of the weights, and adds nothing but variables', () => {
  const base = around(body('kept'));
  const buffers = () =>
    (tf.engine() as unknown as { state: { numDataBuffers: number } }).state.numDataBuffers;
  const before = buffers();
  const flat = flatten(base);
  expect(buffers()).toBe(before);
  expect(flat.countParams()).toBe(base.countParams());
});

it('what is frozen in the base stays frozen', () => {
  const nested = body('frozen');
  nested.trainable = false;
  const base = around(nested);
  expect(base.trainableWeights.length).toBe(2);
  expect(flatten(base).trainableWeights.map((w) => w.originalName)).toEqual([
    'around_fc/kernel',
    'around_fc/bias',
  ]);
});

it('a nested model at the head of tf.sequential has its layers in the graph already', () => {
  const head = [
    layers.globalAveragePooling2d({ name: 'pool' } as never),
    layers.dense({ name: 'out', units: 3 }),
  ];
  const base = sequential({ layers: [body('headed') as unknown as layers.Layer, ...head] });
  const { taps, reasons } = suggestTaps(base);
  expect(taps).toEqual(['second']);
  expect(reasons.join()).not.toMatch(/nested/);
  expect(same(base, adapt(base, e3va({ rank: 2 })).model)).toBe(0);
  expect(same(base, flatten(base))).toBe(0);
});

it('suggestTaps says what a nested model hides', () => {
  const base = around(body('hidden'));
  expect(() => suggestTaps(base)).toThrow(TapError);
  expect(() => suggestTaps(base)).toThrow(/nothing that could be a tap[\s\S]*flatten\(model\)/);
  expect(suggestTaps(flatten(base)).taps).toEqual(['second']);
  const x = input({ shape: [16, 16, 3] });
  const stem = apply(layers.conv2d({ name: 'stem', filters: 3, kernelSize: 2, strides: 2 }), x);
  const partly = model({ inputs: x, outputs: apply(body('inner'), stem) });
  expect(suggestTaps(partly).reasons.at(-1)).toMatch(
    /nested model 'inner' is one layer here: flatten\(model\)/,
  );
});
