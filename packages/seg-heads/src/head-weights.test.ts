import { memoryWeights, type WeightFile, WeightsMismatchError } from '@e3va/weight-files';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectClose, readJson, readTensors } from '../../../tests/support/tensors.ts';
import { HeadWeightsError } from './errors.ts';
import { fcnHead } from './fcn-head.ts';
import { loadHeadWeights } from './head-weights.ts';
import { uperNet } from './uper-net.ts';

const tensors = readTensors(new URL('../test/fixtures/upernet_head.safetensors', import.meta.url));
const toMmseg = readJson<Record<string, string>>(
  new URL('../test/fixtures/names_hf_to_mmseg.json', import.meta.url),
);
const levels = [8, 16, 32, 64].map((channels, i) => ({ name: `level${i}`, channels, stride: 4 << i }));
const auxiliaryHead = (classes = 5) => fcnHead({ level: levels[2]!, classes, channels: 8, seed: 1 });

const huggingFace = memoryWeights(tensors);
const mmseg = memoryWeights(new Map([...tensors].map(([name, tensor]) => [toMmseg[name]!, tensor])));

function without(...names: string[]): WeightFile {
  return memoryWeights(new Map([...tensors].filter(([name]) => !names.includes(name))));
}

describe('loadHeadWeights', () => {
  beforeAll(() => tf.setBackend('cpu'));

  it('takes every tensor of the file, under the names of mmsegmentation too', async () => {
    const heads: tf.Tensor[][] = [];
    for (const file of [huggingFace, mmseg]) {
      const [decode, auxiliary] = [uperNet({ levels, classes: 5, channels: 16 }), auxiliaryHead()];
      const first = await loadHeadWeights(decode, file);
      const second = await loadHeadWeights(auxiliary, file, { part: 'auxiliary_head' });
      expect([...first.loaded, ...second.loaded].sort()).toEqual([...file.entries.keys()].sort());
      heads.push([...decode.getWeights(), ...auxiliary.getWeights()]);
    }
    heads[0]!.forEach((weight, i) => {
      expectClose(heads[1]![i]!, weight, 0);
    });
    const calls = 2; // the dropout layers' counters
    expect(heads[0]!.length).toBe(tensors.size + calls);
  });

  it('leaves the classifier as it is on request, for other classes', async () => {
    const head = auxiliaryHead(7);
    const classifier = head.getLayer('classifier').getWeights();
    const before = classifier.map((w) => [...w.dataSync()]);
    const report = await loadHeadWeights(head, mmseg, { part: 'auxiliary_head', classes: 'drop' });
    expect(report.loaded.length).toBe(5);
    expect(report.skipped).toContain('auxiliary_head.conv_seg.weight');
    expect(
      head
        .getLayer('classifier')
        .getWeights()
        .map((w) => [...w.dataSync()]),
    ).toEqual(before);
  });

  it('names a missing tensor and leaves the head as it was', async () => {
    const head = auxiliaryHead();
    const before = head.getWeights().map((w) => w.dataSync());
    const load = loadHeadWeights(head, without('auxiliary_head.classifier.bias'), { part: 'auxiliary_head' });
    await expect(load).rejects.toThrow(WeightsMismatchError);
    await expect(load).rejects.toThrow('1 missing: auxiliary_head.classifier.bias');
    expect(head.getWeights().map((w) => w.dataSync())).toEqual(before);
  });

  it('names a tensor of another shape, and one without a place', async () => {
    const head = fcnHead({ level: levels[2]!, classes: 4, channels: 8 });
    const load = loadHeadWeights(head, huggingFace, { part: 'auxiliary_head' });
    await expect(load).rejects.toThrow('auxiliary_head.classifier.weight [5,8,1,1] instead of [4,8,1,1]');
    const shallow = fcnHead({ level: { ...levels[2]!, channels: 8 }, classes: 5, convs: 0 });
    await expect(loadHeadWeights(shallow, huggingFace, { part: 'auxiliary_head' })).rejects.toThrow(
      '5 without a place in the model: auxiliary_head.convs.0.',
    );
  });

  it('a file without the head is an error that says so', async () => {
    const file = without('auxiliary_head.classifier.weight');
    const load = loadHeadWeights(auxiliaryHead(), file, { part: 'auxiliary_head' });
    await expect(load).rejects.toThrow(HeadWeightsError);
    await expect(load).rejects.toThrow(/holds no UPerNet.*\n {2}expected: auxiliary_head.classifier.weight/);
  });
});
