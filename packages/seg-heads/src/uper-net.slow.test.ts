import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { fcnHead } from './fcn-head.ts';
import { uperNet } from './uper-net.ts';

it('has the parameters of UPerNet with Swin-T', async () => {
  await tf.setBackend('cpu');
  const levels = [96, 192, 384, 768].map((channels, i) => ({ name: `l${i}`, channels, stride: 4 << i }));
  const trained = (head: LayersModel) => head.trainableWeights.reduce((sum, w) => sum + w.read().size, 0);
  // with the backbone's 27.5 M about 60 M, as in arXiv 2103.14030, table 3
  expect(trained(uperNet({ levels, classes: 150 }))).toBe(31_497_366);
  expect(trained(fcnHead({ level: levels[2]!, classes: 150 }))).toBe(923_798);
});
