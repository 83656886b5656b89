import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { type BackendChoice, useBackend } from './backend.ts';
import { BackendError } from './errors.ts';

describe('useBackend', () => {
  it('starts wasm with the kernels that training needs, and keeps what is active', async () => {
    expect(await useBackend('wasm')).toMatchObject({ name: 'wasm' });
    expect(tf.getBackend()).toBe('wasm');
    expect(tf.getKernel('Conv2DBackpropFilter', 'wasm')).toBeDefined();
    expect((await useBackend('auto')).name).toBe('wasm');
    expect((await useBackend('cpu')).name).toBe('cpu');
    expect((await useBackend('auto')).name).toBe('cpu');
  });

  it('names an unknown backend, and one that is not installed', async () => {
    await expect(useBackend('webgl' as BackendChoice)).rejects.toThrow(BackendError);
    await expect(useBackend('webgl' as BackendChoice)).rejects.toThrow('auto | tensorflow | wasm | cpu');
    const installed = await import('@tensorflow/tfjs-node'.slice()).then(
      () => true,
      () => false,
    );
    if (installed) expect((await useBackend('tensorflow')).name).toBe('tensorflow');
    else await expect(useBackend('tensorflow')).rejects.toThrow(/npm install @tensorflow\/tfjs-node/);
  });
});
