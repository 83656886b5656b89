import { readFileSync } from 'node:fs';
import { registerTrainingKernels } from '@e3va/highway-grad';
import { huggingFaceLayer, loadSwin } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';
import { type LayersModel, layers } from '@tensorflow/tfjs-layers';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AdapterFileError,
  adapt,
  decodeSafetensors,
  encodeSafetensors,
  type Layer,
  type LoraOptions,
  lora,
} from '../src/index.ts';
import type { LoraLayer } from '../src/layers/lora.ts';
import { readPeftLora } from '../src/peft-file.ts';
import type { SafetensorsTensor } from '../src/safetensors.ts';
import { maxDifference } from './tiny-model.ts';

const bytesOf = (name: string) => readFileSync(new URL(`fixtures/peft/${name}`, import.meta.url));
const textOf = (name: string) => bytesOf(name).toString();
const fixture = (name: string) => decodeSafetensors(bytesOf(name), name).tensors;
const tensorOf = ({ data, shape }: SafetensorsTensor) => tf.tensor(data, shape);

/** Torch's [out, in, kh, kw] as [kh, kw, in, out], [out, in] as [in, out]. */
const turned = (t: tf.Tensor) => tf.transpose(t, t.rank === 4 ? [2, 3, 1, 0] : [1, 0]);
/** Torch's images [batch, channels, height, width] with the channels last. */
const lastly = (t: tf.Tensor) => (t.rank === 4 ? tf.transpose(t, [0, 2, 3, 1]) : t);

const conv = (options: object) => layers.conv2d({ filters: 5, kernelSize: 3, ...options });
const cases: [string, () => Layer, LoraOptions][] = [
  ['linear', () => layers.dense({ units: 7 }), {}],
  ['rslora', () => layers.dense({ units: 7, useBias: false }), { rslora: true }],
  ['dora', () => layers.dense({ units: 7 }), { dora: true }],
  ['conv', () => conv({ strides: 2 }), {}],
  ['conv_same', () => conv({ kernelSize: [3, 5], padding: 'same' }), {}],
  ['conv_pointwise', () => conv({ kernelSize: 1 }), {}],
  ['conv_dora', () => conv({ strides: 2 }), { dora: true }],
];

describe.each(['cpu', 'wasm'])('LoRA equals PEFT on %s', (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
    registerTrainingKernels();
  });

  it.each(cases)('%s: result, merged kernel and gradients', (name, make, options) => {
    const reference = fixture('layers.safetensors');
    const read = (key: string) => tensorOf(reference.get(`${name}.${key}`)!);
    tf.tidy(() => {
      const layer = make();
      const x = lastly(read('x'));
      layer.apply(x);
      const bias = reference.has(`${name}.bias`) ? [read('bias')] : [];
      layer.setWeights([turned(read('kernel')), ...bias]);
      const adapted = lora({ rank: 3, alpha: 5, ...options }).wrap(layer) as LoraLayer;
      adapted.apply(x);
      const values: Record<string, tf.Tensor> = {
        lora_A: turned(read('A')),
        lora_B: tf.reshape(turned(read('B')), [3, -1]),
        ...(options.dora && { lora_magnitude: tf.reshape(read('m'), [-1]) }),
      };
      const nameOf = (full: string) => full.split('/').at(-1)!;
      for (const w of adapted.trainableWeights) w.write(values[nameOf(w.originalName)]!);
      const close = (a: tf.Tensor, b: tf.Tensor) =>
        expect(maxDifference(a, b)).toBeLessThan(1e-5 + 1e-5 * tf.max(tf.abs(b)).dataSync()[0]!);
      close(adapted.call(x), lastly(read('y')));
      const g = lastly(read('g'));
      const weights = adapted.trainableWeights.map((w) => w.read());
      const loss = (x: tf.Tensor) => tf.sum(tf.mul(adapted.call(x, { training: true }), g)) as tf.Scalar;
      close(tf.grad(loss)(x), lastly(read('dx')));
      const { grads } = tf.variableGrads(() => loss(x), weights as tf.Variable[]);
      const gradient = (key: string) => {
        const weight = weights[adapted.trainableWeights.findIndex((w) => nameOf(w.originalName) === key)]!;
        return grads[(weight as tf.Variable).name]!;
      };
      close(gradient('lora_A'), turned(read('dA')));
      close(gradient('lora_B'), tf.reshape(turned(read('dB')), [3, -1]));
      if (options.dora) close(gradient('lora_magnitude'), tf.reshape(read('dm'), [-1]));
      close(adapted.mergedWeights()[0]!, turned(read('merged')));
      adapted.dispose();
      layer.dispose();
    });
  });

  it.each([
    ['query-value', 4 * (8 + 8) * 4 + 4 * (16 + 16) * 4],
    ['all-linear', undefined],
  ])('a Swin with the PEFT file %s gives what PEFT gives', async (name, count) => {
    const base = await tinySwin();
    const reference = fixture('swin.safetensors');
    const config = textOf(`${name}/adapter_config.json`);
    const { method, tensors, rest } = readPeftLora(
      config,
      bytesOf(`${name}/adapter_model.safetensors`),
      huggingFaceLayer,
    );
    expect(rest).toEqual({});
    const adapted = adapt(base, method);
    if (count) expect(adapted.parameters.trainable).toBe(count);
    const image = lastly(tensorOf(reference.get('image')!));
    const state = (levels: tf.Tensor[]) => tf.reshape(levels[0]!, [1, 64, 16]);
    tf.tidy(() => {
      const plain = tensorOf(reference.get('base')!);
      expect(maxDifference(state(adapted.apply(image)), plain)).toBeLessThan(1e-4);
      adapted.setAdapterTensors(tensors);
      const expected = tensorOf(reference.get(name)!);
      expect(maxDifference(expected, plain)).toBeGreaterThan(0.1);
      expect(maxDifference(state(adapted.apply(image)), expected)).toBeLessThan(1e-4);
    });
    adapted.dispose();
    base.dispose();
    image.dispose();
  });
});

function tinySwin(): Promise<LayersModel> {
  return loadSwin(new URL('fixtures/peft/swin.safetensors', import.meta.url).pathname, { outLevels: [1] });
}

describe('readPeftLora refuses', () => {
  const config = textOf('query-value/adapter_config.json');
  const bytes = bytesOf('query-value/adapter_model.safetensors');
  const changed = (change: object) => JSON.stringify({ ...JSON.parse(config), ...change });
  const without = (pattern: RegExp, more: Record<string, SafetensorsTensor> = {}) =>
    encodeSafetensors({
      ...Object.fromEntries([...decodeSafetensors(bytes).tensors].filter(([name]) => !pattern.test(name))),
      ...more,
    });

  it.each<[string, string, Uint8Array, RegExp]>([
    ['text that is no JSON', 'lora', bytes, /not JSON/],
    ['another method', changed({ peft_type: 'IA3' }), bytes, /no LoRA.*IA3/s],
    ['ranks by module', changed({ rank_pattern: { query: 2 } }), bytes, /rank_pattern/],
    ['a base changed by PiSSA', changed({ init_lora_weights: 'pissa_niter_4' }), bytes, /'pissa_niter_4'/],
    ['a base changed by OLoRA', changed({ init_lora_weights: 'olora' }), bytes, /init_lora_weights 'olora'/],
    ['factors with KaSA', changed({ kasa_config: { beta: 1 } }), bytes, /kasa_config/],
    ['trained biases', changed({ bias: 'all' }), bytes, /bias 'all'/],
    ['another rank', changed({ r: 5 }), bytes, /A \[5, in\].*A \[4,8\]/s],
    ['a missing factor', config, without(/0\.blocks\.0.*query\.lora_B/), /blocks\.0.*query.*incomplete/s],
    ['uneven projections', config, without(/0\.blocks\.0.*query/), /parts 2.*parts 0, 2/s],
    ['no module', config, without(/./), /without modules/],
  ])('%s', (_, text, file, message) => {
    const read = () => readPeftLora(text, file, huggingFaceLayer);
    expect(read).toThrow(AdapterFileError);
    expect(read).toThrow(message);
  });

  it('modules without a layer, and lists them', () => {
    const only = (module: string) => (module.includes('layers.0') ? huggingFaceLayer(module) : undefined);
    expect(() => readPeftLora(config, bytes, only)).toThrow(
      /encoder\.layers\.1\.blocks\.0\.attention\.self\.query, .*encoder\.layers\.1\.blocks\.1/s,
    );
  });

  it.each([true, false, 'gaussian', 'eva', undefined])('no start that leaves the base alone: %s', (start) => {
    const { tensors } = readPeftLora(changed({ init_lora_weights: start }), bytes, huggingFaceLayer);
    expect(Object.keys(tensors)).toEqual(Object.keys(readPeftLora(config, bytes, huggingFaceLayer).tensors));
  });

  it('two modules for one part', () => {
    const same = () => ({ layer: 'stages.0.blocks.0.attn.qkv', part: 0 });
    expect(() => readPeftLora(config, bytes, same)).toThrow(/two modules/);
  });

  it('nothing of heads that were trained as a whole: they come along', () => {
    const head = { dtype: 'F32' as const, shape: [2, 16], data: new Float32Array(32).fill(1) };
    const file = without(/^$/, { 'base_model.model.classifier.weight': head });
    expect(readPeftLora(config, file, huggingFaceLayer).rest['classifier.weight']?.shape).toEqual([2, 16]);
  });
});
