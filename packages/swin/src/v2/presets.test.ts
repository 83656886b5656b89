import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../test/helpers.ts';
import { v2Json } from '../../test/v2.ts';
import { type SwinV2PresetName, swinV2Presets } from './presets.ts';
import { blankSwinV2 } from './swin-v2.ts';

const counts = v2Json<Record<string, { backbone: number; classifier: number }>>('counts');
const names = Object.keys(swinV2Presets) as SwinV2PresetName[];

describe('presets of swin V2', () => {
  beforeAll(() => useBackend('cpu'));

  it.each(names)('%s states the parameters that transformers counts, and the out-norms', (name) => {
    const { embedDim, parameters } = swinV2Presets[name];
    expect(parameters).toBe(counts[name]!.backbone + 30 * embedDim); // scale and offset of 15 times the channels
  });

  it.each(['tiny-window8', 'tiny-window16'] as const)('%s builds with as many', (name) => {
    const model = blankSwinV2(swinV2Presets[name]);
    expect(model.countParams()).toBe(swinV2Presets[name].parameters);
    model.dispose();
  });

  it('covers what the table of the reference covers, with an address of its own each', () => {
    expect(names.sort()).toEqual(Object.keys(counts).sort());
    expect(new Set(names.map((name) => swinV2Presets[name].hub)).size).toBe(names.length);
    expect(swinV2Presets['base-window12to24']).toMatchObject({
      hub: 'microsoft/swinv2-base-patch4-window12to24-192to384-22kto1k-ft',
      window: 24,
      imageSize: 384,
      pretrainedWindows: [12, 12, 12, 6],
      top1: 87.1,
    });
  });
});
