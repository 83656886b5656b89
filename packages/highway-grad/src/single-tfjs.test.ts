import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useBackend } from '../test/backends.ts';
import { loadSecondCopy } from '../test/second-copy.ts';
import { DuplicateTfjsError, E3vaError } from './errors.ts';
import { offTape } from './off-tape.ts';
import { assertSingleTfjs } from './single-tfjs.ts';

describe('one copy of tfjs-core', () => {
  beforeAll(() => useBackend('cpu'));

  test('tensors, variables, subclasses, and what is no tensor, pass', () => {
    class Own extends tf.Tensor {}
    const t = tf.scalar(1);
    const v = tf.variable(t);
    const own = new Own([], 'float32', t.dataId, -1);
    for (const value of [t, v, own, undefined, 3, {}]) assertSingleTfjs(value as tf.Tensor);
    tf.dispose([t, v]);
  });
});

describe('a copy of tfjs-core that is loaded after ours', () => {
  let other: ReturnType<typeof loadSecondCopy>;
  beforeAll(() => {
    other = loadSecondCopy();
  });
  afterAll(() => other.remove());

  test('is another copy on the same engine: its tensors are of our class', () => {
    const t = other.tf.scalar(1);
    expect(other.tf.Tensor).not.toBe(tf.Tensor);
    expect(t.constructor).toBe(tf.Tensor);
    t.dispose();
  });

  test('is found at every call, and both files are named', () => {
    const t = tf.scalar(1);
    for (let i = 0; i < 2; i++) {
      const error = caught(() => assertSingleTfjs(t));
      expect(error).toBeInstanceOf(DuplicateTfjsError);
      expect(E3vaError.isInstance(error)).toBe(true);
      expect(error.message).toMatch(/^two copies of @tensorflow\/tfjs-core are loaded in this process\n/);
      expect(error.message).toContain(other.file);
      expect(error.message.match(/tf-core\.node\.js/g)).toHaveLength(2);
      expect(error.message).toContain('npm dedupe');
    }
    t.dispose();
  });

  test('offTape refuses to run', () => {
    const t = tf.scalar(1);
    let ran = false;
    const fn = (x: tf.Tensor) => {
      ran = true;
      return x;
    };
    expect(() => offTape(t, fn)).toThrow(DuplicateTfjsError);
    expect(ran).toBe(false);
    t.dispose();
  });
});

function caught(fn: () => void): Error {
  try {
    fn();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
