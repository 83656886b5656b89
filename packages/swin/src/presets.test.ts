import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../test/helpers.ts';
import { type SwinPresetName, swinPresets } from './presets.ts';
import { blankSwin } from './swin.ts';

/** Parameters of a four-level backbone, term by term. */
function count({ embedDim, depths, heads, window }: (typeof swinPresets)[SwinPresetName]): number {
  const norm = (c: number) => 2 * c;
  const linear = (a: number, b: number) => a * b + b;
  let total = linear(4 * 4 * 3, embedDim) + norm(embedDim);
  depths.forEach((depth, s) => {
    const c = embedDim * 2 ** s;
    const attention = linear(c, 3 * c) + (2 * window - 1) ** 2 * heads[s]! + linear(c, c);
    total += depth * (norm(c) + attention + norm(c) + linear(c, 4 * c) + linear(4 * c, c)) + norm(c);
    if (s < depths.length - 1) total += norm(4 * c) + 4 * c * 2 * c;
  });
  return total;
}

describe('presets', () => {
  beforeAll(() => useBackend('cpu'));

  it.each(Object.keys(swinPresets) as SwinPresetName[])('%s has the parameters it states', (name) => {
    const model = blankSwin(swinPresets[name]);
    expect(model.countParams()).toBe(swinPresets[name].parameters);
    expect(count(swinPresets[name])).toBe(swinPresets[name].parameters);
    model.dispose();
  });

  it('agrees with the counts that others publish for the same backbones', () => {
    // timm's feature extractors hold the last of the four out-norms: 27,519,354, 48,837,258 and 86,743,224
    const withoutThree = (name: SwinPresetName) =>
      swinPresets[name].parameters - 2 * 7 * swinPresets[name].embedDim;
    expect([withoutThree('tiny'), withoutThree('small'), withoutThree('base')]).toEqual([
      27519354, 48837258, 86743224,
    ]);
    // E³VA's table: full fine-tuning of Swin-B trains 86.75 M in the backbone
    expect((swinPresets.base.parameters / 1e6).toFixed(2)).toBe('86.75');
  });
});
