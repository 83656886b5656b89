import { describe, expect, it } from 'vitest';
import { rgbImage } from '../../test/make-data.ts';
import { boxed, memorySplit } from '../../test/make-objects.ts';
import { classBalancedOrder, repeatFactors } from './class-balance.ts';

/** Ten images of class 0; the last shows class 1 too, the one before nothing. */
const split = memorySplit(
  Array.from({ length: 10 }, (_, i) => ({
    name: `${i}`,
    image: rgbImage(1, 1, () => [0, 0, 0]),
    objects: i === 8 ? [] : [boxed([0, 0, 1, 1]), ...(i === 9 ? [boxed([0, 0, 1, 1], { label: 1 })] : [])],
  })),
);

describe('repeatFactors', () => {
  it('weighs images by their rarest class', () => {
    const factors = repeatFactors(split, 0.4);
    expect(factors[0]).toBe(1);
    expect(factors[8]).toBe(1); // no class at all
    expect(factors[9]).toBeCloseTo(2, 12); // one image of ten where four are wanted: √4
    expect(repeatFactors(split, 0.001)).toEqual(new Array(10).fill(1)); // LVIS's share: nothing is that rare here
  });
});

describe('classBalancedOrder', () => {
  it('shows each image as often as its weight asks for, in the mean of many epochs', () => {
    const orderOf = classBalancedOrder(split, 1, 0.4);
    const seen = new Float64Array(10);
    for (let epoch = 0; epoch < 2000; epoch++) {
      const order = orderOf(epoch, 0);
      expect(order.length).toBe(10);
      for (const draw of order) seen[draw % 10]! += 1 / 2000;
    }
    for (let i = 0; i < 9; i++) expect(seen[i]).toBeCloseTo(10 / 11, 1);
    expect(seen[9]).toBeCloseTo(20 / 11, 1);
  });

  it('tells repeats within an epoch apart', () => {
    const order = classBalancedOrder(split, 1, 1)(0, 0); // √10 of 12.2 for the last image
    const draws = [...order].filter((draw) => draw % 10 === 9).sort((a, b) => a - b);
    expect(draws.length).toBeGreaterThan(1);
    expect(draws).toEqual(draws.map((_, k) => 9 + 10 * k));
    expect(new Set(order).size).toBe(10);
  });

  it('depends on seed and epoch alone', () => {
    const orderOf = classBalancedOrder(split, 1, 0.4);
    expect(orderOf(3, 0)).toEqual(classBalancedOrder(split, 1, 0.4)(3, 2));
    expect(orderOf(3, 0)).not.toEqual(orderOf(4, 0));
    expect(orderOf(3, 0)).not.toEqual(classBalancedOrder(split, 2, 0.4)(3, 0));
  });
});
