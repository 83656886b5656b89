import { expect, it } from 'vitest';
import { crc32, portableCrc32 } from './crc32.ts';

it('the check value of the polynomial, in one piece and in two', () => {
  const bytes = new TextEncoder().encode('123456789');
  for (const sum of [crc32, portableCrc32]) {
    expect(sum(bytes)).toBe(0xcbf43926);
    expect(sum(bytes.subarray(5), sum(bytes.subarray(0, 5)))).toBe(0xcbf43926);
    expect(sum(new Uint8Array(0))).toBe(0);
  }
});

it('without Node as with it, for every length', () => {
  const bytes = Uint8Array.from({ length: 70 }, (_, i) => (i * 197) & 255);
  for (let n = 0; n <= bytes.length; n++) {
    expect(portableCrc32(bytes.subarray(0, n))).toBe(crc32(bytes.subarray(0, n)));
  }
});
