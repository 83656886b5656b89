import type * as Tf from '@tensorflow/tfjs-core';
import { afterAll, expect, test } from 'vitest';
import { loadSecondCopy } from './second-copy.ts';

// tfjs-core is not imported above: here, the other copy comes first and owns the engine
const other = loadSecondCopy();
afterAll(() => other.remove());

test('with another copy loaded before ours, its tensors and variables are refused', async () => {
  const { useBackend } = await import('./backends.ts');
  const tf: typeof Tf = await import('@tensorflow/tfjs-core');
  const { assertSingleTfjs, DuplicateTfjsError, offTape } = await import('../src/index.ts');
  await useBackend('cpu');
  const t = tf.scalar(1);
  const v = tf.variable(t);
  expect(t.constructor).toBe(other.tf.Tensor);
  for (const value of [t, v]) {
    expect(() => assertSingleTfjs(value)).toThrow(DuplicateTfjsError);
    expect(() => assertSingleTfjs(value)).toThrow(`a tensor of another copy; loaded are ${other.file} and `);
    expect(() => offTape(value, (x) => x)).toThrow(DuplicateTfjsError);
  }
  tf.dispose([t, v]);
});
