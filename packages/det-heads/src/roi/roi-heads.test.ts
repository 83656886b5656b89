import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { beforeAll, describe, it } from 'vitest';
import { CascadeReference } from '../../test/support/cascade.ts';

// on the cpu backend in the slow tests
describe.each(['smooth_l1', 'giou'] as const)(
  'RoiHeads as the cascade of mmdetection, %s, on wasm',
  (variant) => {
    beforeAll(async () => {
      await tf.setBackend('wasm');
      registerTrainingKernels();
    });
    let cascade: CascadeReference;

    it('gives its losses, gradients and running statistics', () => {
      cascade = new CascadeReference(variant);
      cascade.expectTraining();
    });

    it('finds the same objects', () => cascade.expectDetections());
  },
);
