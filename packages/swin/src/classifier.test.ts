import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  backends,
  fixtureWeights,
  imagesOf,
  maxDifference,
  readFixture,
  tensorOf,
  useBackend,
} from '../test/helpers.ts';
import { blankSwinClassifier } from './classifier.ts';
import { SwinConfigError } from './errors.ts';
import { loadSwinWeights } from './weights/assign.ts';
import { swinConfigOf } from './weights/config-of.ts';

describe.each(backends)('swin classifier on %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each(['hugging_face', 'torchvision', 'timm'])('%s: the same logits to 1e-4', async (library) => {
    const before = tf.memory().numTensors;
    const name = `classifier_${library}`;
    const file = fixtureWeights(name, (tensors) => {
      tensors.delete('image');
      tensors.delete('logits');
    });
    const config = swinConfigOf(file);
    expect(config).toMatchObject({
      embedDim: 4,
      depths: [2, 1, 2, 1],
      heads: [1, 1, 2, 2],
      window: 2,
      patch: 4,
    });
    const model = blankSwinClassifier({ ...config, classes: 5 });
    const report = await loadSwinWeights(model, file);
    expect(report).toMatchObject({ missing: [], resized: [], skipped: [] });
    const reference = readFixture(name);
    tf.tidy(() => {
      const logits = model.predict(imagesOf(reference)) as tf.Tensor;
      expect(maxDifference(logits, tensorOf(reference, 'logits'))).toBeLessThan(1e-4);
    });
    model.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses images whose last map is smaller than a window, or does not come out even', () => {
    const config = { embedDim: 4, depths: [1, 1], heads: [1, 1], window: 4, classes: 3 };
    for (const imageSize of [16, 36, 30]) {
      expect(() => blankSwinClassifier({ ...config, imageSize })).toThrow(SwinConfigError);
    }
    const model = blankSwinClassifier({ ...config, imageSize: 40 });
    expect(model.inputs[0]!.shape).toEqual([null, 40, 40, 3]);
    model.dispose();
  });
});
