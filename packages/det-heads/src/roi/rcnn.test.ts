import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { leakOf, normal, onBackends } from '../../../../tests/support/tensors.ts';
import { MaskRcnnReference } from '../../test/support/mask-rcnn.ts';
import type { DetectionTargets, Detector } from '../detection.ts';
import { DetectionInputError, DetectionOptionsError } from '../errors.ts';
import { cascadeRcnn } from './cascade-rcnn.ts';
import { fasterRcnn, maskRcnn } from './faster-rcnn.ts';
import type { RcnnOptions } from './presets.ts';

onBackends('Mask R-CNN', () => {
  const reference = () => new MaskRcnnReference();

  it('equals torchvision: losses and gradients', () => {
    reference().expectTraining();
  });

  it('equals torchvision: proposals, boxes and masks', () => reference().expectDetections());
});
