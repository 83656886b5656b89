import { adapt, e3va } from '@e3va/adapter-core';
import { swin, swinPresets } from '@e3va/swin';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, expect, test } from 'vitest';
import { loadNsfwjs } from '../../adapter-core/test/models/nsfwjs.ts';
import { onnxEngine } from '../src/index.ts';
import { draw, maxDifference } from './helpers.ts';

beforeAll(async () => {
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  await tf.setBackend('wasm');
  await tf.ready();
});

test.each([
  ['mobilenet_v2', 224],
  ['inception_v3', 299],
] as const)('%s of nsfwjs: every tap to 1e-4', async (name, side) => {
  const adapted = adapt(await loadNsfwjs(name), e3va({ rank: 4 }));
  const engine = await onnxEngine(adapted);
  const images = tf.randomUniform([2, side, side, 3], 0, 1, 'float32', 1);
  const [taps, wanted] = [await engine.run(images), adapted.taps(images)];
  taps.forEach((tap, i) => {
    expect(maxDifference(tap, wanted[i]!)).toBeLessThan(1e-4);
  });
  engine.dispose();
});

test('Swin-T at 448²: every tap to 1e-4, and the bounds of fp16 and int8', async () => {
  const adapted = adapt(swin(swinPresets.tiny), e3va());
  const images = draw([1, 448, 448, 3], 0);
  const wanted = adapted.taps(images);
  for (const [precision, most] of [
    ['fp32', 1e-4],
    ['fp16', 5e-3],
    ['int8', 0.2],
  ] as const) {
    const engine = await onnxEngine(adapted, { precision });
    const taps = await engine.run(images);
    taps.forEach((tap, i) => {
      expect(maxDifference(tap, wanted[i]!), precision).toBeLessThan(most);
    });
    tf.dispose(taps);
    engine.dispose();
  }
});

test('fifty engines, made, run and disposed, leave no memory behind', async () => {
  const adapted = adapt(swin({ ...swinPresets.nano, window: 4 }), e3va());
  const images = draw([1, 64, 64, 3], 0);
  const cycle = async () => {
    const engine = await onnxEngine(adapted, { threads: 1 });
    tf.dispose(await engine.run(images));
    engine.dispose();
    await new Promise((resolve) => setTimeout(resolve, 0)); // the session is released behind the call
  };
  for (let i = 0; i < 10; i++) await cycle();
  const tensors = tf.memory().numTensors;
  const before = process.memoryUsage().rss;
  for (let i = 0; i < 50; i++) await cycle();
  expect(tf.memory().numTensors).toBe(tensors);
  // one engine's weights are 11 MB: fifty that stay would be 530
  expect(process.memoryUsage().rss - before).toBeLessThan(150e6);
});
