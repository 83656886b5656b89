import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import { DetectionOptionsError } from '../errors.ts';
import { type PyramidRetinaNetOptions, pyramidRetinaNet } from '../pyramid-retinanet.ts';
import { type RpnOptions, rpn } from '../rpn.ts';

const retina: PyramidRetinaNetOptions = { classes: 2, channels: 4, strides: [8, 16], convs: 1 };
const proposals = { perLevel: 10, max: 10 };

function expectRefused(build: () => unknown, what: string): void {
  const before = tf.memory().numTensors;
  expect(build).toThrow(DetectionOptionsError);
  expect(build).toThrow(`${what} is not valid`);
  expect(tf.memory().numTensors).toBe(before);
}

describe('options of dense heads', () => {
  it.each([
    ['classes', { classes: 0 }],
    ['channels', { channels: 1.5 }],
    ['width', { width: 0 }],
    ['convs', { convs: -1 }],
    ['strides', { strides: [] }],
    ['strides', { strides: [8, 0] }],
    ['anchorSizes', { anchorSizes: [[32]] }],
    ['anchorSizes', { anchorSizes: [[32], [64, 80]] }],
    ['anchorSizes', { anchorSizes: [[], []] }],
    ['anchorSizes', { anchorSizes: [[32], [-64]] }],
    ['ratios', { ratios: [] }],
    ['ratios', { ratios: [1, Number.NaN] }],
    ['prior', { prior: 0 }],
    ['prior', { prior: 1 }],
    ['positive', { positive: 1.1 }],
    ['negative', { positive: 0.3 }], // below the 0.4 of negative
    ['stds', { stds: [0.1, 0.1, 0, 0.2] }],
    ['beta', { boxLoss: 'smooth-l1', beta: -1 }],
    ['boxLossWeight', { boxLossWeight: Number.NaN }],
    ['scoreThreshold', { scoreThreshold: -0.1 }],
    ['nmsThreshold', { nmsThreshold: 50 }],
    ['perLevel', { perLevel: 0.5 }],
    ['maxDetections', { maxDetections: -1 }],
  ] as [string, Partial<PyramidRetinaNetOptions>][])('pyramidRetinaNet names %s: %o', (what, options) => {
    expectRefused(() => pyramidRetinaNet({ ...retina, ...options }), what);
  });

  it.each([
    ['channels', { channels: 0 }],
    ['width', { width: 0.5 }],
    ['anchorSizes', { anchorSizes: [[32]] }],
    ['negative', { negative: 0.8 }],
    ['sample.size', { sample: { size: -1, positiveShare: 0.5 } }],
    ['sample.positiveShare', { sample: { size: 8, positiveShare: 2 } }],
    ['trainProposals.max', { trainProposals: { ...proposals, max: -1 } }],
    ['testProposals.perLevel', { testProposals: { ...proposals, perLevel: Number.NaN } }],
    ['testProposals.nmsThreshold', { testProposals: { ...proposals, nmsThreshold: -1 } }],
  ] as [string, Partial<RpnOptions>][])('rpn names %s: %o', (what, options) => {
    expectRefused(() => rpn({ channels: 4, strides: [8, 16], ...options }), what);
  });

  it('says what it expected and what it got', () => {
    const build = () => pyramidRetinaNet({ ...retina, anchorSizes: [[32]] });
    expect(build).toThrow('expected: a list for each of 2 levels, of as many sizes above 0');
    expect(build).toThrow('received: [[32]]');
  });

  it('takes what lies at the edge', () => {
    const edge = {
      positive: 0.4,
      scoreThreshold: 0,
      nmsThreshold: 1,
      perLevel: 0,
      maxDetections: 0,
      beta: 0,
    };
    pyramidRetinaNet({ ...retina, ...edge, convs: 0 }).dispose();
  });
});
