import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import { Adapted } from '../src/adapted.ts';
import { adaptFormer } from '../src/methods/adapt-former.ts';
import { adapter } from '../src/methods/adapter.ts';
import { bitFit } from '../src/methods/bit-fit.ts';
import { frozen } from '../src/methods/frozen.ts';
import { loRand } from '../src/methods/lo-rand.ts';
import { lora } from '../src/methods/lora.ts';
import type { Method } from '../src/methods/method.ts';
import { mona } from '../src/methods/mona.ts';
import { norm } from '../src/methods/norm.ts';
import { partial } from '../src/methods/partial.ts';
import type { SafetensorsTensor } from '../src/safetensors.ts';
import { maxDifference } from './tiny-model.ts';
import { fixture, lossOf, tensorOf, tinySwin, tinySwinImages } from './tiny-swin.ts';

type Reference = Map<string, SafetensorsTensor>;

/** Torch's name of one of our weights. */
function torchName(weight: string): string {
  const [layer, name] = weight.split('/') as [string, string];
  const block = layer.replace(/^(adapter|adaptFormer|loRand|mona)\./, '').replace('stages.', 'layers.');
  const slot = block
    .replace(/\.(attn|mlp)$/, (_, at) => `.slots.after_${at}`)
    .replace(/\.add2$/, layer.startsWith('adaptFormer') ? '.slots.parallel' : '.slots.after_add2')
    .replace(/\.add1$/, '.slots.after_add1')
    .replace(name.startsWith('lora_') ? /\.attn\.qkv$/ : /\.attn\.core$/, '.attn');
  return `${slot}.${parts[name]}`;
}

const parts: Record<string, string> = {
  kernel: 'weight',
  bias: 'bias',
  gamma: 'weight',
  beta: 'bias',
  relative_position_bias_table: 'relative_position_bias_table',
  lora_A: 'qkv_delta.A',
  lora_B: 'qkv_delta.B',
  down_kernel: 'down.weight',
  down_bias: 'down.bias',
  up_kernel: 'up.weight',
  up_bias: 'up.bias',
  kernels: 'K',
  norm_gamma: 'norm.weight',
  norm_beta: 'norm.bias',
  scale_norm: 'gamma',
  scale_input: 'gammax',
  depthwise3_kernel: 'dw.0.weight',
  depthwise3_bias: 'dw.0.bias',
  depthwise5_kernel: 'dw.1.weight',
  depthwise5_bias: 'dw.1.bias',
  depthwise7_kernel: 'dw.2.weight',
  depthwise7_bias: 'dw.2.bias',
  pointwise_kernel: 'proj.weight',
  pointwise_bias: 'proj.bias',
  down_q: 'down.Q',
  down_p: 'down.P',
  up_q: 'up.Q',
  up_p: 'up.P',
};

/** The reference's tensor for a weight of ours, in our layout; undefined if it has none. */
function referenceOf(reference: Reference, kind: 'param' | 'grad', weight: string): tf.Tensor | undefined {
  const name = torchName(weight).replace(/\.(down|up)\.bias$/, (_, at) =>
    reference.has(`${kind}.${torchName(weight)}`) ? `.${at}.bias` : `.${at}.b`,
  );
  const found = reference.get(`${kind}.${name}`);
  if (!found) return undefined;
  const t = tensorOf(found);
  if (/depthwise/.test(weight) && t.rank === 4) return tf.transpose(t, [2, 3, 0, 1]);
  if (/pointwise/.test(weight) && t.rank === 4) return tf.transpose(tf.squeeze(t, [2, 3]));
  if (t.rank < 2 || /table$/.test(weight)) return t;
  const last = t.rank - 1;
  return tf.transpose(t, [...Array.from({ length: last - 1 }, (_, i) => i), last, last - 1]);
}

const cases: [string, Method, number][] = [
  ['frozen', frozen({ outNorms: 'frozen' }), 0],
  ['lora', lora({ rank: 3, alpha: 1.5 }), 2880],
  ['adapter', adapter({ width: 4 }), 4384],
  ['adaptformer', adaptFormer({ width: 4 }), 2192],
  ['adaptformer_gelu', adaptFormer({ width: 4, activation: 'gelu', dropout: 0 }), 2192],
  ['lorand', loRand({ alpha: 2, beta: 3 }), 9648],
  ['mona', mona({ width: 4 }), 12128],
  ['bitfit', bitFit({ weights: /(bias|beta)$/ }), 3000],
  ['bitfit_tables', bitFit(), 3882],
  ['norm', norm(), 1664],
  ['partial1', partial(), 50180],
];

describe.each(['cpu', 'wasm'])('methods on a Swin equal the reference on %s', (backend) => {
  let base: LayersModel;
  let images: tf.Tensor;
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
    base = await tinySwin();
    images = tinySwinImages();
  });

  it.each(cases)('%s: levels to 1e-4, gradients to 1e-5 + 1e-4 relative', (name, method, count) => {
    const reference = fixture(`fixtures/methods/${name}.safetensors`);
    const adapted = new Adapted(base, method);
    expect(adapted.parameters.trainable).toBe(count);
    tf.tidy(() => {
      for (const w of adapted.trainableWeights) {
        const value = referenceOf(reference, 'param', w.originalName);
        if (value) w.write(value);
      }
      const given = [...reference.keys()].filter((key) => key.startsWith('param.'));
      const written = adapted.trainableWeights.filter((w) => referenceOf(reference, 'param', w.originalName));
      expect(written.length).toBe(given.length);
      const gs = [0, 1, 2, 3].map((s) => tensorOf(reference.get(`g.${s}`)!));
      const levels = adapted.apply(images);
      levels.forEach((level, s) => {
        expect(maxDifference(level, tensorOf(reference.get(`level.${s}`)!))).toBeLessThan(1e-4);
      });
      expect(lossOf(levels, gs).dataSync()[0]).toBeCloseTo(reference.get('loss')!.data[0]!, 4);
      if (count > 0) expectGradients(adapted, reference, () => lossOf(adapted.apply(images), gs));
    });
    adapted.dispose();
  });
});

function expectGradients(adapted: Adapted, reference: Reference, loss: () => tf.Scalar): void {
  const variables = adapted.trainableWeights.map((w) => w.read() as tf.Variable);
  const { grads } = tf.variableGrads(loss, variables);
  const given = [...reference.keys()].filter((key) => key.startsWith('grad.'));
  let compared = 0;
  adapted.trainableWeights.forEach((w, i) => {
    const expected = referenceOf(reference, 'grad', w.originalName);
    if (!expected) return;
    compared++;
    const size = tf.max(tf.abs(expected)).dataSync()[0]!;
    const difference = maxDifference(grads[variables[i]!.name]!, expected);
    expect(difference, w.originalName).toBeLessThan(1e-5 + 1e-4 * size);
  });
  expect(compared).toBe(given.length);
}
