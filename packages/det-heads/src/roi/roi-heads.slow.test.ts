import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { beforeAll, describe, it } from 'vitest';
import { CascadeReference } from '../../test/support/cascade.ts';
import { MaskRcnnReference } from '../../test/support/mask-rcnn.ts';

describe('RoiHeads on cpu', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu');
    registerTrainingKernels();
  });

  it.each(['smooth_l1', 'giou'] as const)('equal the cascade of mmdetection: %s', async (variant) => {
    const cascade = new CascadeReference(variant);
    cascade.expectTraining();
    await cascade.expectDetections();
  });

  it('equal Mask R-CNN of torchvision in training', () => {
    new MaskRcnnReference().expectTraining();
  });
});
