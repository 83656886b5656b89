import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { beforeAll, describe, it } from 'vitest';
import { CascadeReference } from '../../test/support/cascade.ts';

describe.each(['smooth_l1', 'giou'] as const)(
  'RoiHeads as the cascade of mmdetection, %s, on cpu',
  (variant) => {
    beforeAll(async () => {
      await tf.setBackend('cpu');
      registerTrainingKernels();
    });

    it('gives its losses, gradients and running statistics, and finds the same objects', async () => {
      const cascade = new CascadeReference(variant);
      cascade.expectTraining();
      await cascade.expectDetections();
    });
  },
);
