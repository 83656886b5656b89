import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, beforeEach, describe } from 'vitest';

tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);

/** The backends that every test runs on. */
export const backends = ['cpu', 'wasm'] as const;
export type BackendName = (typeof backends)[number];

/** Runs a suite once on each backend, without the training kernels. */
export function describeOnBackends(name: string, suite: (backend: BackendName) => void): void {
  describe.each(backends)(`${name} on %s`, (backend) => {
    beforeAll(() => useBackend(backend));
    // the engine is shared by the whole file
    beforeEach(() => useBackend(backend));
    suite(backend);
  });
}

export async function useBackend(backend: BackendName): Promise<void> {
  await tf.setBackend(backend);
  await tf.ready();
}
