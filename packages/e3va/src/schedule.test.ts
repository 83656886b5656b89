import { describe, expect, it } from 'vitest';
import { learningRateFactor, poly, stepDecay, warmup } from './schedule.ts';

describe('schedule', () => {
  it('rises linearly and reaches 1 at the last warm-up step', () => {
    expect([0, 1, 2, 3, 4].map((s) => warmup(s, 4))).toEqual([0.25, 0.5, 0.75, 1, 1]);
    expect(warmup(0, 0)).toBe(1);
  });

  it('decays polynomially to zero and never below', () => {
    expect(poly(0, 100, 0.9)).toBe(1);
    expect(poly(50, 100, 0.9)).toBeCloseTo(0.5 ** 0.9, 12);
    expect(poly(100, 100, 0.9)).toBe(0);
    expect(poly(130, 100, 0.9)).toBe(0);
  });

  it('drops at milestones', () => {
    expect([0, 9, 10, 15, 20].map((s) => stepDecay(s, [10, 20], 0.1))).toEqual([1, 1, 0.1, 0.1, 0.1 ** 2]);
  });

  it('multiplies warm-up and policy', () => {
    const steps = 800;
    expect(learningRateFactor(9, { steps, warmupSteps: 20 })).toBeCloseTo(0.5 * (1 - 9 / 800) ** 0.9, 12);
    expect(learningRateFactor(9, { steps, warmupSteps: 20, policy: 'constant' })).toBe(0.5);
    expect(learningRateFactor(700, { steps, policy: 'step', milestones: [600] })).toBeCloseTo(0.1, 12);
  });
});
