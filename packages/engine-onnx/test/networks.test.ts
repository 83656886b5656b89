import { adapt, e3va } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import { input, layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, test } from 'vitest';
import { built } from '../../adapter-core/test/models/zoo.ts';
import { onnxEngine, registerConverter, toOnnx } from '../src/index.ts';
import { difference, draw, maxDifference, runFile } from './helpers.ts';
import { networks } from './models.ts';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe.each(networks)('$name', ({ make, sizes }) => {
  test('gives every tap and every output in ONNX Runtime', async () => {
    const base = await make();
    const adapted = adapt(base, e3va());
    const engine = await onnxEngine(adapted, { threads: 1 });
    const file = await toOnnx(base);
    for (const [i, size] of sizes.entries()) {
      const images = draw(size, i);
      const before = tf.memory().numTensors;
      const taps = await engine.run(images);
      const wanted = adapted.taps(images);
      expect(taps.length).toBe(wanted.length);
      for (const [k, tap] of taps.entries()) {
        expect(tap.dtype).toBe(wanted[k]!.dtype);
        expect(maxDifference(tap, wanted[k]!), `tap ${k} at ${size}`).toBeLessThan(1e-4);
      }
      tf.dispose([taps, wanted]);
      const levels = await runFile(file, [images]);
      const own = [base.predict(images) as tf.Tensor | tf.Tensor[]].flat();
      for (const [k, level] of levels.entries()) {
        expect(maxDifference(level, own[k]!), `output ${k} at ${size}`).toBeLessThan(1e-4);
      }
      tf.dispose([levels, own]);
      expect(tf.memory().numTensors).toBe(before);
      images.dispose();
    }
    engine.dispose();
  });
});

describe('a model', () => {
  test('of two inputs, a layer that both share, and two outputs', async () => {
    const images = [draw([2, 16, 16, 3], 0), draw([2, 16, 16, 3], 1)];
    expect(await difference(built.twoInputs(), images)).toBeLessThan(1e-5);
  });

  test('with models inside models', async () => {
    expect(await difference(built.nested(), [draw([2, 16, 16, 3], 0)])).toBeLessThan(1e-5);
  });

  test('with a layer that a user has taught', async () => {
    registerConverter('Unregistered', (layer, [x], graph) => {
      const weight = graph.floats([...layer.getWeights()[0]!.dataSync()]);
      const scaled = graph.node('Mul', [x!.tensor, weight]);
      return graph.value(graph.node('Add', [x!.tensor, scaled]), x!.shape);
    });
    expect(await difference(built.chain(), [draw([2, 16, 16, 3], 0)])).toBeLessThan(1e-5);
  });

  test('cut at layers by name, the same one twice, and its input', async () => {
    const base = built.nested();
    const file = await toOnnx(base, { outputs: ['stem', 'after', 'after', 'image'].slice(1) });
    const image = draw([1, 16, 16, 3], 0);
    const [after, again, input] = await runFile(file, [image]);
    expect(after!.shape).toEqual([1, 8, 8, 8]);
    expect(maxDifference(after!, again!)).toBe(0);
    expect(maxDifference(input!, image)).toBe(0);
  });

  test('that gives out its input of whole numbers, and works on it', async () => {
    const ids = input({ shape: [3], dtype: 'int32', name: 'ids' });
    const rows = layers.embedding({ inputDim: 9, outputDim: 2, name: 'rows' }).apply(ids) as SymbolicTensor;
    const file = await toOnnx(model({ inputs: ids, outputs: rows }), { outputs: ['ids', 'rows'] });
    const [same, read] = await runFile(file, [tf.tensor2d([[1, 8, 3]], [1, 3], 'int32')]);
    expect([same!.dtype, [...same!.dataSync()], read!.shape]).toEqual(['int32', [1, 8, 3], [1, 3, 2]]);
  });
});
