import { swin, swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { adapt, type E3vaOptions, e3va } from '../src/index.ts';

describe('parameter counts of the paper', () => {
  beforeAll(() => tf.setBackend('cpu'));
  it.each<['base' | 'large', E3vaOptions, number]>([
    ['base', {}, 1_195_008],
    ['large', {}, 1_792_512],
    ['large', { levels: [1, 2, 3] }, 1_792_512 - 384],
    ['base', { form: 'pkq', outNorms: 'frozen' }, 1_197_312],
    ['large', { form: 'pkq', outNorms: 'frozen' }, 1_792_896],
  ])('Swin %s with %j', (preset, options, expected) => {
    const base = swin(swinPresets[preset]);
    const adapted = adapt(base, e3va(options));
    expect(adapted.parameters.trainable).toBe(expected);
    adapted.dispose();
    base.dispose();
  });
});
