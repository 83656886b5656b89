import { expect, it } from 'vitest';
import { fuzz } from './support/fuzz.ts';

it('100,000 damaged files: only the named error, and no large allocation', async () => {
  const { wrong, inputs, opened, refused, excess, slowest } = await fuzz(100_000, 1_000_000);
  console.log({ inputs, opened, refused, excess, slowest });
  expect(wrong).toEqual([]);
  expect(opened + refused).toBe(inputs);
  expect(opened).toBeGreaterThan(2_000);
  expect(excess).toBeLessThanOrEqual(0);
  expect(slowest).toBeLessThan(10_000);
}, 900_000);
