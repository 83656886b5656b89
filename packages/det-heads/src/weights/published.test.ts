import { memoryWeights, type WeightFile } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { expect, it } from 'vitest';
import { readJson } from '../../../../tests/support/tensors.ts';
import { loadDetector } from './load-detector.ts';

const published = readJson<Record<string, Record<string, number[]>>>(
  new URL('../../test/fixtures/published_keys.json', import.meta.url),
);

/** A file of these shapes whose tensors hold zeros. */
function zeros(shapes: Record<string, number[]>): WeightFile {
  const entries = new Map(Object.entries(shapes).map(([name, shape]) => [name, { shape, dtype: 'F32' }]));
  const read = async (name: string) => {
    const shape = shapes[name]!;
    return { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
  };
  return { ...memoryWeights({}), entries, read };
}

it.each([
  ['retinanet_swin_t', [192, 384, 768], 3],
  ['mask_rcnn_swin_t', [96, 192, 384, 768], 2],
  ['cascade_mask_rcnn_swin_b', [128, 256, 512, 1024], 2],
] as const)('every weight of the published %s has its place', async (name, channels, first) => {
  await tf.setBackend('cpu');
  const levels = channels.map((channels, i) => ({ name: `level${i}`, channels, stride: 2 ** (first + i) }));
  const shapes = published[name]!;
  const { report, detector } = await loadDetector(zeros(shapes), { levels });
  const weights = Object.keys(shapes).filter((key) => !key.endsWith('num_batches_tracked'));
  expect(report.loaded.sort()).toEqual(weights.sort());
  expect(report.missing).toEqual([]);
  detector.dispose();
});
