import { registerTrainingKernels } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { beforeAll, expect, it } from 'vitest';
import { adapt, e3va, lora, norm, suggestTaps } from '../../src/index.ts';
import { maxDifference, weightBytes } from '../tiny-model.ts';
import { loadNsfwjs } from './nsfwjs.ts';

beforeAll(async () => {
  await tf.setBackend('wasm');
  await tf.ready();
  registerTrainingKernels();
});

it.each([
  ['mobilenet_v2', 224, 4],
  ['inception_v3', 299, 2],
] as const)(
  '%s of nsfwjs: taps are proposed, fresh as the base, trained by fit off the tape',
  async (name, side, batch) => {
    const base = await loadNsfwjs(name);
    const bytes = weightBytes(base);
    const suggestion = suggestTaps(base);
    expect(suggestion.transition).toBe('pool-project');
    expect(suggestion.levels.map(({ stride }) => stride)).toEqual(expect.arrayContaining([8, 16, 32]));
    const x = tf.randomUniform([batch, side, side, 3], 0, 1, 'float32', 1);
    const own = base.predict(x) as tf.Tensor;
    const y = tf.cast(
      tf.oneHot(tf.tensor1d([0, 3, 1, 2].slice(0, batch), 'int32'), own.shape[1]!),
      'float32',
    );
    for (const method of [
      e3va({ rank: 4, alsoTrain: 'dense_3' }),
      e3va({ rank: 4 }),
      lora({ targets: /^dense/ }),
      norm(),
    ]) {
      const adapted = adapt(base, method);
      expect(maxDifference(adapted.model.predict(x) as tf.Tensor, own)).toBeLessThan(1e-4);
      adapted.model.compile({ optimizer: tf.train.adam(1e-3), loss: 'meanSquaredError' });
      const run = async () =>
        (await adapted.model.fit(x, y, { epochs: 1, batchSize: batch, verbose: 0 })).history
          .loss![0] as number;
      const first = await run();
      const held = tf.memory().numTensors;
      const losses = [await run(), await run(), await run()];
      expect(Math.min(...losses), method.name).toBeLessThan(first);
      expect(tf.memory().numTensors).toBe(held);
      expect(weightBytes(base)).toEqual(bytes);
      adapted.dispose();
    }
  },
);
