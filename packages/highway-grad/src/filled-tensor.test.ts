import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { describe, expect, it } from 'vitest';
import { filledTensor } from './filled-tensor.ts';

describe.each(['cpu', 'wasm'])('filledTensor on %s', (backend) => {
  it('is a tensor as any other: read, computed with, disposed of', async () => {
    await tf.setBackend(backend);
    const before = tf.memory();
    const made = filledTensor([2, 3], (values) => {
      expect(values.length).toBe(6);
      for (let i = 0; i < 6; i++) values[i] = i + 1;
    });
    expect(made.shape).toEqual([2, 3]);
    expect([...made.dataSync()]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(tf.tidy(() => tf.sum(tf.mul(made, 2)).dataSync()[0])).toBe(42);
    expect(tf.memory().numTensors).toBe(before.numTensors + 1);
    made.dispose();
    for (const shape of [[], [0, 3]]) filledTensor(shape, (values) => void values.fill(1)).dispose();
    expect(tf.memory()).toMatchObject({
      numTensors: before.numTensors,
      numDataBuffers: before.numDataBuffers,
      numBytes: before.numBytes,
    });
  });

  it('passes an error on and keeps nothing', async () => {
    await tf.setBackend(backend);
    const before = tf.memory();
    const heap = () => (tf.backend() as unknown as { numDataIds(): number }).numDataIds();
    const ids = heap();
    expect(() =>
      filledTensor([4], () => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(tf.memory().numTensors).toBe(before.numTensors);
    expect(heap()).toBe(ids);
  });

  it('goes out of scope in a tidy', async () => {
    await tf.setBackend(backend);
    const before = tf.memory().numTensors;
    tf.tidy(() => void filledTensor([4], (values) => void values.fill(2)));
    expect(tf.memory().numTensors).toBe(before);
  });
});
