import { describe, expect, it } from 'vitest';
import { addObjects, sampleMatches } from './samplers.ts';

/** Park and Miller's generator. */
const seeded = (seed: number) => () => {
  seed = (seed * 16807) % 2147483647;
  return seed / 2147483647;
};

const matches = Int32Array.of(-1, 3, -2, 0, -1, -1, 2, -2, 1, -1, 0);

describe('sampleMatches', () => {
  it('takes the first in order, a share of objects at most, and fills up with background', () => {
    const first = { rng: () => 0 };
    const few = sampleMatches(matches, { size: 5, positiveShare: 0.5, ...first });
    expect(few).toEqual({ positives: Int32Array.of(1, 3), negatives: Int32Array.of(0, 4, 5) });
    const many = sampleMatches(matches, { size: 99, positiveShare: 0.5 });
    expect(many).toEqual({ positives: Int32Array.of(1, 3, 6, 8, 10), negatives: Int32Array.of(0, 4, 5, 9) });
    const none = sampleMatches(Int32Array.of(-1, -2, -1), { size: 1, positiveShare: 0.5, ...first });
    expect(none).toEqual({ positives: new Int32Array(0), negatives: Int32Array.of(0) });
  });

  it('takes each equally often, alike from one seed', () => {
    const counts = new Map<number, number>();
    const rng = seeded(5);
    for (let i = 0; i < 4000; i++) {
      const { positives, negatives } = sampleMatches(matches, { size: 4, positiveShare: 0.5, rng });
      expect([positives.length, negatives.length]).toEqual([2, 2]);
      for (const box of [...positives, ...negatives]) counts.set(box, (counts.get(box) ?? 0) + 1);
    }
    for (const box of [1, 3, 6, 8, 10]) expect(Math.abs(counts.get(box)! - 1600)).toBeLessThan(150);
    for (const box of [0, 4, 5, 9]) expect(Math.abs(counts.get(box)! - 2000)).toBeLessThan(150);
    const draw = () => sampleMatches(matches, { size: 4, positiveShare: 0.5, rng: seeded(6) });
    expect(draw()).toEqual(draw());
  });
});

describe('addObjects', () => {
  it('adds all but the crowds, on the side that is asked for', () => {
    const [box, object, crowd] = [
      [1, 1, 2, 2],
      [3, 3, 4, 4],
      [0, 0, 9, 9],
    ] as const;
    const targets = { boxes: Float32Array.of(...crowd, ...object), crowd: Uint8Array.of(1, 0) };
    expect([...addObjects(Float32Array.of(...box), targets)]).toEqual([...object, ...box]);
    expect([...addObjects(Float32Array.of(...box), targets, 'last')]).toEqual([...box, ...object]);
    expect(addObjects(new Float32Array(0), { boxes: targets.boxes })).toEqual(targets.boxes);
  });
});
