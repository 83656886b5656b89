import { memoryWeights, type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { WholeReference, wholeLevels } from '../../test/support/whole.ts';
import type { Detector } from '../detection.ts';
import { DetectionOptionsError } from '../errors.ts';
import { detectorOptionsOf } from './detector-options.ts';
import { loadDetector } from './load-detector.ts';

const files = ['mmdet_retinanet', 'mmdet_mask_rcnn', 'mmdet_cascade', 'torchvision_mask_rcnn'].map((name) =>
  new WholeReference(`whole_${name}`).file(),
);

/** What one change does to a tensor that is picked by a number: it is lost, gets another name, or another shape. */
const changes = fc.array(
  fc.record({
    place: fc.nat(),
    other: fc.nat(),
    kind: fc.constantFrom('lost', 'renamed', 'reshaped'),
    shape: fc.array(fc.integer({ min: 0, max: 64 }), { maxLength: 5 }),
  }),
  { minLength: 1, maxLength: 4 },
);

type Change = (typeof changes extends fc.Arbitrary<infer C> ? C : never)[number];

/** The file with changes; what is reshaped holds zeros. */
function damaged(file: WeightFile, changed: readonly Change[]): WeightFile {
  const shapes = new Map([...file.entries].map(([name, { shape }]) => [name, shape]));
  const reshaped = new Set<string>();
  for (const { place, other, kind, shape } of changed) {
    const names = [...shapes.keys()];
    const [name, second] = [names[place % names.length]!, names[other % names.length]!];
    if (kind === 'lost') shapes.delete(name);
    if (kind === 'renamed') shapes.set(second, shapes.get(name)!);
    else if (kind === 'reshaped') shapes.set(name, shape);
    if (kind !== 'lost') reshaped.add(kind === 'renamed' ? second : name);
  }
  const entries = new Map([...shapes].map(([name, shape]) => [name, { shape, dtype: 'F32' }]));
  const read: WeightFile['read'] = async (name) => {
    const shape = [...shapes.get(name)!];
    return reshaped.has(name)
      ? { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }
      : file.read(name);
  };
  return { ...memoryWeights({}), entries, read };
}

const isNamed = (error: unknown) =>
  error instanceof WeightsMismatchError || error instanceof DetectionOptionsError;

beforeAll(() => tf.setBackend('cpu'));

describe('files of detectors with tensors lost, renamed and reshaped', () => {
  it('are described, or named in an error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...files), changes, (file, changed) => {
        try {
          detectorOptionsOf(damaged(file, changed));
        } catch (error) {
          if (!isNamed(error)) throw error;
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it('are loaded, or named in an error and leave nothing behind', async () => {
    const fates = { loaded: 0, refused: 0 };
    const tensors = tf.memory().numTensors;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...files), changes, fc.boolean(), async (file, changed, strict) => {
        let detector: Detector | undefined;
        try {
          ({ detector } = await loadDetector(damaged(file, changed), { levels: wholeLevels, strict }));
          fates.loaded++;
        } catch (error) {
          if (!isNamed(error)) throw error;
          fates.refused++;
        }
        detector?.dispose();
        expect(tf.memory().numTensors).toBe(tensors);
      }),
      { numRuns: 150, seed: 2 },
    );
    expect(Math.min(fates.loaded, fates.refused)).toBeGreaterThan(3);
  });
});
