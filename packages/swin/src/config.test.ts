import { beforeAll, describe, expect, it } from 'vitest';
import { tinyConfig, useBackend } from '../test/helpers.ts';
import type { DropPath } from './drop-path.ts';
import { SwinConfigError } from './errors.ts';
import { swin } from './swin.ts';

describe('swin configurations', () => {
  beforeAll(() => useBackend('cpu'));

  it('stochastic depth grows linearly over the blocks, the same in both branches', () => {
    const model = swin({ ...tinyConfig, depths: [2, 3], dropPath: 0.2 });
    const rates = (branch: string) =>
      model.layers.filter(({ name }) => name.endsWith(branch)).map((layer) => (layer as DropPath).rate);
    for (const branch of ['.attn', '.mlp']) {
      expect(rates(branch).map((rate) => rate.toFixed(6))).toEqual([
        '0.000000',
        '0.050000',
        '0.100000',
        '0.150000',
        '0.200000',
      ]);
    }
    model.dispose();
  });

  it.each([
    [{ embedDim: 0 }, /'embedDim' does not fit\n {2}expected: a whole number above 0\n {2}received: 0/],
    [{ window: 2.5 }, /'window' does not fit/],
    [{ patch: -1 }, /'patch' does not fit/],
    [{ depths: [] }, /'depths' does not fit/],
    [{ heads: [1] }, /'heads' does not fit\n {2}expected: one number of heads a stage\n {2}received: \[1\]/],
    [{ heads: [3, 2] }, /expected: numbers that divide the channels 4,8\n {2}received: \[3,2\]/],
    [{ mlpRatio: 0 }, /'mlpRatio' does not fit/],
    [{ dropPath: 1 }, /'dropPath' does not fit/],
    [{ outLevels: [1, 0] }, /'outLevels' does not fit\n {2}expected: ascending stages from 0 to 1/],
    [{ outLevels: [2] }, /'outLevels' does not fit/],
    [{ outLevels: [] }, /'outLevels' does not fit/],
  ])('%j is an error that names the key', (wrong, message) => {
    const build = () => swin({ ...tinyConfig, ...wrong });
    expect(build).toThrow(SwinConfigError);
    expect(build).toThrow(message);
  });
});
