import { expect, it } from 'vitest';
import { fuzz } from './support/fuzz.ts';

it('3,000 damaged files: only the named error, and no large allocation', async () => {
  const { wrong, inputs, opened, refused, excess, slowest } = await fuzz(3_000, 1);
  expect(wrong).toEqual([]);
  expect(opened + refused).toBe(inputs);
  expect(opened).toBeGreaterThan(50); // else the damage is too plain to test anything
  expect(excess).toBeLessThanOrEqual(0);
  expect(slowest).toBeLessThan(5_000);
});
