import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectClose, readJson, readTensors } from '../../../tests/support/tensors.ts';
import { HeadWeightsError } from './errors.ts';
import { fcnHead } from './fcn-head.ts';
import { loadHeadWeights } from './head-weights.ts';
import { uperNet } from './uper-net.ts';

const weights = readTensors(new URL('../test/fixtures/upernet_head.safetensors', import.meta.url));
const levels = [8, 16, 32, 64].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
const auxiliaryHead = () => fcnHead({ level: levels[2]!, classes: 5, channels: 8, seed: 1 });

describe('loadHeadWeights', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('takes every tensor of the file, under the names of mmsegmentation too', () => {
    const toMmseg = readJson<Record<string, string>>(
      new URL('../test/fixtures/names_hf_to_mmseg.json', import.meta.url),
    );
    const renamed = new Map([...weights].map(([name, tensor]) => [toMmseg[name]!, tensor]));
    const heads = [weights, renamed].map((tensors) => {
      const [decode, auxiliary] = [uperNet({ levels, classes: 5, channels: 16 }), auxiliaryHead()];
      loadHeadWeights(decode, tensors);
      loadHeadWeights(auxiliary, tensors, 'auxiliary_head');
      return [...decode.getWeights(), ...auxiliary.getWeights()];
    });
    heads[0]!.forEach((weight, i) => {
      expectClose(heads[1]![i]!, weight, 0);
    });
    const calls = 2; // the dropout layers' counters
    expect(heads[0]!.length).toBe(weights.size + calls);
  });

  it('names a missing tensor and leaves the head as it was', () => {
    const head = auxiliaryHead();
    const before = head.getWeights().map((w) => w.dataSync());
    const partial = new Map(weights);
    partial.delete('auxiliary_head.classifier.bias');
    const load = () => loadHeadWeights(head, partial, 'auxiliary_head');
    expect(load).toThrow(HeadWeightsError);
    expect(load).toThrow(
      'the weights lack auxiliary_head.classifier.bias (auxiliary_head.conv_seg.bias in mmsegmentation)',
    );
    expect(head.getWeights().map((w) => w.dataSync())).toEqual(before);
  });

  it('names a tensor of another shape', () => {
    const head = fcnHead({ level: levels[2]!, classes: 4, channels: 8 });
    const load = () => loadHeadWeights(head, weights, 'auxiliary_head');
    expect(load).toThrow("auxiliary_head.classifier.weight has another shape than the head's");
    expect(load).toThrow('[4,8,1,1]');
    expect(load).toThrow('[5,8,1,1]');
  });
});
