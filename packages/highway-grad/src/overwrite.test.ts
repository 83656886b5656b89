import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { describe, expect, it } from 'vitest';
import { overwrite } from './overwrite.ts';

describe.each(['cpu', 'wasm'])('overwrite on %s', (backend) => {
  it('gives new values, in the same memory on wasm, and keeps nothing', async () => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    const variable = tf.tidy(() => tf.variable(tf.tensor1d([1, 2, 3]), false));
    const { dataId } = variable;
    const held = tf.memory().numTensors;
    for (let i = 0; i < 3; i++) tf.tidy(() => overwrite(variable, tf.add(variable, 1)));
    expect([...variable.dataSync()]).toEqual([4, 5, 6]);
    expect(variable.dataId === dataId).toBe(backend === 'wasm');
    expect(tf.memory().numTensors).toBe(held);
    variable.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('leaves tensors alone that share the memory', async () => {
    await tf.setBackend(backend);
    const variable = tf.variable(tf.zeros([2]), false);
    const shot = tf.clone(variable);
    tf.tidy(() => overwrite(variable, tf.ones([2])));
    expect([...shot.dataSync()]).toEqual([0, 0]);
    expect([...variable.dataSync()]).toEqual([1, 1]);
    tf.dispose([variable, shot]);
  });

  it('refuses another shape, as assign does', async () => {
    await tf.setBackend(backend);
    const variable = tf.variable(tf.zeros([2]), false);
    expect(() => tf.tidy(() => overwrite(variable, tf.ones([3])))).toThrow(/shape/);
    variable.dispose();
  });
});
