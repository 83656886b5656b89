import { memoryWeights } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { describe, expect, it } from 'vitest';
import { roundTrip } from '../../../tests/support/layer-contract.ts';
import {
  expectClose,
  normal,
  onBackends,
  readTensors,
  toNhwc,
  toTensor,
} from '../../../tests/support/tensors.ts';
import { SegmentationOptionsError } from './errors.ts';
import { fcnHead } from './fcn-head.ts';
import { torchName } from './head-names.ts';
import { loadHeadWeights } from './head-weights.ts';
import { segmentationLoss } from './segmentation-loss.ts';
import { uperNet } from './uper-net.ts';

const weights = readTensors(new URL('../test/fixtures/upernet_head.safetensors', import.meta.url));
const expected = readTensors(new URL('../test/fixtures/upernet_out.safetensors', import.meta.url));
const maps = readTensors(new URL('../test/fixtures/levels.safetensors', import.meta.url));
const levels = [8, 16, 32, 64].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));

/** The two heads of the reference with its weights, and its levels. */
async function reference() {
  const decode = uperNet({ levels, classes: 5, channels: 16, dropout: 0 });
  const auxiliary = fcnHead({ level: levels[2]!, classes: 5, channels: 8, dropout: 0 });
  await loadHeadWeights(decode, memoryWeights(weights));
  await loadHeadWeights(auxiliary, memoryWeights(weights), { part: 'auxiliary_head' });
  const pyramid = levels.map((_, i) => toTensor<tf.Rank.R4>(maps.get(`levels.${i}`)!));
  const forward = (training: boolean) => ({
    logits: decode.apply(pyramid, { training }) as tf.Tensor4D,
    auxLogits: auxiliary.apply(pyramid[2]!, { training }) as tf.Tensor4D,
  });
  const named = (part: string, head: LayersModel) =>
    head.weights.map((variable) => [`${part}.${torchName(variable)}`, variable as LayerVariable] as const);
  const variables = [...named('decode_head', decode), ...named('auxiliary_head', auxiliary)];
  return { forward, variables, labels: toTensor<tf.Rank.R3>(expected.get('labels')!) };
}

/** A gradient or weight in PyTorch's layout. */
const toTorch = (t: tf.Tensor) => (t.rank === 4 ? tf.transpose(t, [3, 2, 0, 1]) : t);

onBackends('UPerNet', () => {
  it('equals the reference with running statistics', async () => {
    const { forward, labels } = await reference();
    const { logits, auxLogits } = forward(false);
    expectClose(logits, toNhwc(expected.get('eval.logits_stride4')!), 1e-4);
    expectClose(auxLogits, toNhwc(expected.get('eval.aux_logits_stride16')!), 1e-4);
    expectClose(segmentationLoss({ logits, auxLogits }, labels), expected.get('eval.loss')!.data, 0, 1e-5);
  });

  it('equals the reference in a training step: loss, logits, every gradient, running statistics', async () => {
    const { forward, variables, labels } = await reference();
    let logits: tf.Tensor | undefined;
    const { value, grads } = tf.variableGrads(() => {
      const out = forward(true);
      logits = tf.keep(out.logits);
      return segmentationLoss(out, labels);
    });
    expectClose(value, expected.get('train.loss')!.data, 0, 1e-5);
    expectClose(logits!, toNhwc(expected.get('train.logits_stride4')!), 1e-4);
    const compared = { gradients: 0, buffers: 0 };
    for (const [name, variable] of variables) {
      const grad = expected.get(`train.grad.${name}`);
      if (grad) expectClose(toTorch(grads[variable.name]!), grad.data, 1e-5, 1e-4);
      const buffer = expected.get(`train.buffer.${name}`);
      if (buffer) expectClose(variable.read(), buffer.data, 1e-5, 1e-5);
      compared.gradients += grad ? 1 : 0;
      compared.buffers += buffer ? 1 : 0;
    }
    const listed = (prefix: string) => [...expected.keys()].filter((key) => key.startsWith(prefix)).length;
    expect(compared).toEqual({ gradients: listed('train.grad.'), buffers: listed('train.buffer.') });
  });

  it('leaks nothing over 20 training steps, and lowers its loss', () => {
    const head = uperNet({
      levels: levels.slice(0, 2),
      classes: 3,
      channels: 8,
      poolScales: [1, 2],
      seed: 4,
    });
    const optimizer = tf.train.adam(0.01);
    const inputs = [normal<tf.Rank.R4>([2, 6, 8, 8], 1), normal<tf.Rank.R4>([2, 3, 4, 16], 2)];
    const labels = tf.tidy(
      () => tf.argMax(tf.slice(inputs[0]!, [0, 0, 0, 0], [-1, -1, -1, 3]), 3) as tf.Tensor3D,
    );
    const losses: number[] = [];
    const counts: number[] = [];
    for (let step = 0; step < 21; step++) {
      const loss = optimizer.minimize(
        () =>
          segmentationLoss(
            { logits: head.apply(inputs, { training: true }) as tf.Tensor4D },
            labels,
          ) as tf.Scalar,
        true,
        head.trainableWeights.map((w) => w.read() as tf.Variable),
      )!;
      losses.push(loss.dataSync()[0]!);
      loss.dispose();
      counts.push(tf.memory().numTensors);
    }
    expect(counts.at(-1)).toBe(counts[0]);
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]!);
  });

  it('is the same after a round trip through JSON and weights, at any size', async () => {
    const head = uperNet({ levels, classes: 5, channels: 4, poolScales: [1, 3], dropout: 0.5, seed: 9 });
    const restored = await roundTrip(head);
    const inputs = levels.map(({ channels }, i) =>
      normal<tf.Rank.R4>([1, 9 - 2 * i, 7 - i, channels], i + 1),
    );
    for (const training of [false, true]) {
      const [a, b] = [head, restored].map((net) => net.apply(inputs, { training }) as tf.Tensor);
      expect(a!.shape).toEqual([1, 9, 7, 5]);
      expectClose(a!, b!, 0);
    }
  });
});

describe('uperNet', () => {
  it('starts alike from one seed, and differently from another', () => {
    const kernel = (seed: number) =>
      fcnHead({ level: levels[0]!, classes: 2, channels: 4, seed }).getWeights()[0]!.dataSync();
    expect(kernel(0)).toEqual(kernel(0));
    expect(kernel(0)).not.toEqual(kernel(1));
  });

  it.each([
    ['classes', { classes: 0 }],
    ['channels', { channels: 1.5 }],
    ['an entry of poolScales', { poolScales: [1, 0] }],
    ['dropout', { dropout: 1 }],
    ['seed', { seed: -1 }],
    ['uperNet: the levels do not make a pyramid', { levels: levels.slice(0, 1) }],
    ['uperNet: the levels do not make a pyramid', { levels: [levels[0]!, levels[0]!] }],
    ['channels of level x', { levels: [levels[0]!, { name: 'x', channels: 0, stride: 8 }] }],
  ])('names a bad option: %s', (what, options) => {
    const build = () => uperNet({ levels, classes: 3, channels: 4, ...options });
    expect(build).toThrow(SegmentationOptionsError);
    expect(build).toThrow(what);
  });
});
