import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { input, layers, model } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { blankWeights } from './blank-weights.ts';
import { loadWeights } from './load-weights.ts';
import { memoryWeights } from './weight-file.ts';
import { linear } from './weight-source.ts';

const build = () =>
  blankWeights((apply) => {
    const x = input({ shape: [4] });
    const y = apply(layers.dense({ units: 4, useBias: false }), x);
    return model({ inputs: x, outputs: apply(layers.dense({ units: 4 }), y) });
  });

describe.each(['cpu', 'wasm'])('blankWeights on %s', (backend) => {
  it('gives weights of zero that share their memory, and each its own when one is written', async () => {
    await tf.setBackend(backend);
    const before = tf.memory();
    const blank = build();
    const [first, second] = blank.getWeights();
    expect(first!.dataId).toBe(second!.dataId);
    expect(blank.getWeights().every((w) => w.dataSync().every((value) => value === 0))).toBe(true);

    const data = Float32Array.from({ length: 16 }, (_, i) => i + 1);
    const file = memoryWeights({ a: { shape: [4, 4], data } });
    const variable = blank.weights[0]!;
    await loadWeights(file, [{ variable, source: linear('a', [4, 4]) }], { fresh: true });
    expect(blank.getWeights()[0]!.dataSync()[1]).toBe(5);
    expect(Math.max(...blank.getWeights()[1]!.dataSync())).toBe(0);
    blank.dispose();
    const left = tf.memory().numDataBuffers - before.numDataBuffers;
    expect(left).toBe(0);
  });

  it('frees what it made where building fails', () => {
    const before = tf.memory().numTensors;
    expect(() =>
      blankWeights((apply) => {
        apply(layers.dense({ units: 3 }), input({ shape: [2] }));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(tf.memory().numTensors).toBe(before + 2); // the weights of the layer that was built
  });
});
