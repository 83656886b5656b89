import { memoryWeights, type WeightFile } from '@e3va/weight-files';
import { describe, expect, it } from 'vitest';
import { readJson, readTensors } from '../../../tests/support/tensors.ts';
import { HeadWeightsError } from './errors.ts';
import { uperNetOptionsOf } from './uper-net-structure.ts';

const tensors = readTensors(new URL('../test/fixtures/upernet_head.safetensors', import.meta.url));
const toMmseg = readJson<Record<string, string>>(
  new URL('../test/fixtures/names_hf_to_mmseg.json', import.meta.url),
);
const huggingFace = memoryWeights(tensors);
const mmseg = memoryWeights(new Map([...tensors].map(([name, tensor]) => [toMmseg[name]!, tensor])));

function without(name: string): WeightFile {
  return memoryWeights(new Map([...tensors].filter(([other]) => other !== name)));
}

describe('uperNetOptionsOf', () => {
  it.each([
    ['hugging face', huggingFace],
    ['mmsegmentation', mmseg],
  ])('%s: classes, widths, levels and the auxiliary head', (_, file) => {
    expect(uperNetOptionsOf(file)).toEqual({
      classes: 5,
      channels: 16,
      poolScales: [1, 2, 3, 6],
      levels: [8, 16, 32, 64],
      aux: { level: 2, channels: 8, convs: 1 },
    });
  });

  it('takes the sides of the pooled maps from the configuration, and wants them where they are not the usual ones', () => {
    expect(uperNetOptionsOf(huggingFace, { pool_scales: [1, 2, 4, 8] }).poolScales).toEqual([1, 2, 4, 8]);
    for (const pool_scales of [[1, 2], 'all', [1, 2, 3, 0]]) {
      expect(() => uperNetOptionsOf(huggingFace, { pool_scales })).toThrow(HeadWeightsError);
    }
  });

  it('goes without an auxiliary head, not without UPerNet', () => {
    expect(uperNetOptionsOf(without('auxiliary_head.classifier.weight')).aux).toBeUndefined();
    expect(() => uperNetOptionsOf(without('decode_head.classifier.weight'))).toThrow(HeadWeightsError);
  });
});
