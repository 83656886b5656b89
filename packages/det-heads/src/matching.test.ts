import { describe, expect, it } from 'vitest';
import { expectClose, readTensors } from '../../../tests/support/tensors.ts';
import { boxOverlaps } from './boxes.ts';
import { type MatchOptions, matchBoxes, matchOverlaps } from './matching.ts';

const oracle = readTensors(new URL('../test/fixtures/matching.safetensors', import.meta.url));
const of = (name: string) => oracle.get(name)!.data as Float32Array;

const untouched = { matchUntouched: true };
const cases: [string, MatchOptions][] = [
  ['torchvision*_0.5_0.4_1', { positive: 0.5, negative: 0.4, lowQuality: 'torchvision', ...untouched }],
  ['torchvision*_0.5_0.4_0', { positive: 0.5, negative: 0.4, lowQuality: false }],
  ['torchvision*_0.7_0.3_1', { positive: 0.7, negative: 0.3, lowQuality: 'torchvision', ...untouched }],
  ['torchvision*_0.5_0.5_0', { positive: 0.5, negative: 0.5, lowQuality: false }],
  ['mmdet*_retinanet', { positive: 0.5, negative: 0.4, ...untouched }],
  ['mmdet*_rpn', { positive: 0.7, negative: 0.3, lowQualityLimit: 0.3, ...untouched }],
  ['mmdet*_rcnn', { positive: 0.5, negative: 0.5, lowQuality: false }],
];

describe('matching', () => {
  describe.each(cases)('%s', (name, options) => {
    it.each(['', '2', '3'])('equals the reference on its overlaps %s', (suffix) => {
      const { shape, data } = oracle.get(`iou${suffix}`)!;
      const matches = matchOverlaps(Float64Array.from(data), shape[1]!, options);
      expect(matches).toEqual(of(name.replace('*', suffix)));
    });

    it('equals the reference on its boxes', () => {
      expectClose(boxOverlaps(of('gt'), of('priors')), of('iou'), 1e-7);
      const targets = { boxes: of('gt') };
      expect(matchBoxes(of('priors'), targets, options)).toEqual(of(name.replace('*', '')));
    });
  });

  const square = (x: number) => [x, 0, x + 10, 10];
  const options: MatchOptions = { positive: 0.5, negative: 0.4 };

  it.each([{ lowQuality: 'mmdet' }, { lowQuality: 'torchvision' }] as const)(
    'gives an object that touches nothing to nobody: %o',
    (low) => {
      const boxes = Float32Array.of(...square(0), ...square(50));
      const targets = { boxes: Float32Array.of(...square(0), ...square(200), 4, 4, 4, 4) };
      expect([...matchBoxes(boxes, targets, { ...options, ...low })]).toEqual([0, -1]);
    },
  );

  it('ignores what a crowd covers, and what takes no part', () => {
    const boxes = Float32Array.of(...square(0), ...square(50), ...square(54), ...square(100), ...square(200));
    const targets = {
      boxes: Float32Array.of(...square(0), 40, 0, 59, 50, ...square(100), ...square(50)),
      crowd: Uint8Array.of(0, 1, 0, 0),
    };
    const valid = Uint8Array.of(1, 1, 1, 0, 1);
    // the box at 50 is all in the crowd, that at 54 by a half; the one at 100 is not valid
    expect([...matchBoxes(boxes, targets, { ...options, valid })]).toEqual([0, -2, 3, -2, -1]);
    expect([...matchBoxes(boxes, targets, { ...options, crowdShare: 0.4 })]).toEqual([0, -2, -2, 2, -1]);
  });

  it('takes images without objects, and no boxes', () => {
    const none = { boxes: new Float32Array(0) };
    expect([...matchBoxes(Float32Array.of(...square(0)), none, options)]).toEqual([-1]);
    expect([...matchBoxes(new Float32Array(0), { boxes: Float32Array.of(...square(0)) }, options)]).toEqual(
      [],
    );
  });
});
