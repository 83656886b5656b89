import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashText, rng, shuffledOrder } from './rng.ts';

const draws = (seed: number, epoch: number, index: number, count = 4) => {
  const random = rng(seed, epoch, index);
  return Array.from({ length: count }, () => random.next());
};

describe('rng', () => {
  it('gives the same numbers for the same seed, epoch and index, others for any other', () => {
    const small = fc.integer({ min: -3, max: 1000 });
    fc.assert(
      fc.property(fc.tuple(small, small, small), fc.tuple(small, small, small), (a, b) => {
        expect(draws(...a)).toEqual(draws(...a));
        if (a.join() !== b.join()) expect(draws(...a)).not.toEqual(draws(...b));
      }),
    );
  });

  it('tells large seeds apart that agree in their lower 32 bits', () => {
    expect(draws(5, 0, 0)).not.toEqual(draws(5 + 2 ** 32, 0, 0));
  });

  it('does not change from version to version: runs are resumed by it', () => {
    expect(draws(0, 0, 0, 3)).toEqual([0.3620279731694609, 0.2034689865540713, 0.7553904543165118]);
    expect(draws(7, 3, 12, 3)).toEqual([0.4922869773581624, 0.5131163215264678, 0.6003422252833843]);
  });

  it('is uniform: 10,000 first numbers of neighbouring samples fill ten bins evenly', () => {
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) bins[Math.floor(draws(1, 2, i, 1)[0]! * 10)]!++;
    const chiSquare = bins.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(27.9); // 99.9 % quantile at 9 degrees of freedom
  });

  it('keeps to its ranges', () => {
    const random = rng(3, 0, 0);
    const seen = new Set<number>();
    let heads = 0;
    for (let i = 0; i < 4000; i++) {
      const v = random.uniform(-2, 3);
      expect(v >= -2 && v < 3).toBe(true);
      seen.add(random.integer(5));
      if (random.chance(0.25)) heads++;
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
    expect(heads / 4000).toBeCloseTo(0.25, 1);
  });
});

describe('shuffledOrder', () => {
  it('is a permutation that depends on seed and epoch', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(9), fc.nat(9), (length, seed, epoch) => {
        const order = shuffledOrder(length, seed, epoch);
        expect([...order].sort((a, b) => a - b)).toEqual([...Array(length).keys()]);
        expect(shuffledOrder(length, seed, epoch)).toEqual(order);
      }),
    );
    expect(shuffledOrder(20, 0, 0)).not.toEqual(shuffledOrder(20, 0, 1));
    expect(shuffledOrder(20, 0, 0)).not.toEqual(shuffledOrder(20, 1, 0));
  });

  it('puts every item in every place about equally often', () => {
    const counts = new Array<number>(16).fill(0);
    for (let epoch = 0; epoch < 4000; epoch++) {
      shuffledOrder(4, 9, epoch).forEach((item, place) => {
        counts[item * 4 + place]!++;
      });
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(130); // 4.7 standard deviations
  });
});

it('hashText depends on every letter, the order and the seed', () => {
  const hashes = ['a', 'b', 'ab', 'ba', 'abc', ''].map((text) => hashText(text, 0));
  expect(new Set([...hashes, hashText('a', 1)]).size).toBe(7);
});
