import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../test/helpers.ts';
import { type SwinV2PresetName, swinV2Presets } from './presets.ts';
import { blankSwinV2 } from './swin-v2.ts';

describe('every preset of swin V2', () => {
  beforeAll(() => useBackend('cpu'));

  it.each(Object.keys(swinV2Presets) as SwinV2PresetName[])('%s has the parameters it states', (name) => {
    const model = blankSwinV2(swinV2Presets[name]);
    expect(model.countParams()).toBe(swinV2Presets[name].parameters);
    model.dispose();
  });
});
