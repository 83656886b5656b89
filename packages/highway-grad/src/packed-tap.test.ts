import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { describeOnBackends } from '../test/backends.ts';
import { random } from '../test/numbers.ts';
import { packByArithmetic, packedLayout, packTap, unpackByArithmetic, unpackTap } from './packed-tap.ts';

const limit = { 8: 127, 16: 32_639 };

/** Largest magnitude of every group of a token's channels, written out at each channel. */
function groupMaxima(x: Float32Array, channels: number, width: number): Float32Array {
  return x.map((_, i) => {
    const token = Math.floor(i / channels);
    const start = token * channels + Math.floor((i % channels) / width) * width;
    const end = Math.min(start + width, (token + 1) * channels);
    return Math.max(...x.slice(start, end).map(Math.abs));
  });
}

describeOnBackends('packTap', () => {
  it.each([
    [96, 8, 24, 3],
    [96, 16, 48, 3],
    [6, 8, 2, 1],
    [130, 8, 36, 4],
    [130, 16, 68, 4],
  ] as const)('%i channels in %i bits: off by half a code at most', (channels, bits, words, groups) => {
    const before = tf.memory().numTensors;
    tf.tidy(() => {
      // channels of very different size
      const x = tf.mul(random([2, 3, 5, channels]), tf.pow(10, tf.mul(random([channels], 3), 2)));
      const packed = packTap(x, bits);
      expect(packed.codes.shape).toEqual([2, 3, 5, words]);
      expect(packed.codes.dtype).toBe('int32');
      expect(packed.scales.shape).toEqual([2, 3, 5, groups]);
      const [was, is] = [x.dataSync<'float32'>(), unpackTap(packed).dataSync()];
      const width = (words / groups) * (32 / bits);
      groupMaxima(was, channels, width).forEach((most, i) => {
        expect(Math.abs(was[i]! - is[i]!)).toBeLessThanOrEqual((most / limit[bits]) * 0.5001 + 1e-7 * most);
      });
    });
    expect(tf.memory().numTensors).toBe(before);
  });

  it('keeps zeros, the largest and the smallest entry, and tokens of zeros alone', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([
        [0, 0, 0, 0, 0],
        [-127, 127, 0, 1, -1],
      ]);
      expect(unpackTap(packTap(x, 8)).arraySync()).toEqual(x.arraySync());
    });
  });

  it.each([
    [8, 32],
    [16, 32],
    [8, 24],
  ] as const)('in plain operations: the same codes of %i bits in words of %i', (bits, wordBits) => {
    tf.tidy(() => {
      const x = random([7, 70]);
      const layout = packedLayout(70, bits, wordBits);
      const shapes = { codes: [7, layout.groups * layout.words], scales: [7, layout.groups] };
      const [codes, scales] = packByArithmetic(x, layout, shapes);
      if (wordBits === 24) expect(tf.max(tf.abs(codes)).dataSync()[0]).toBeLessThan(2 ** 23);
      const back = unpackByArithmetic(codes, scales, layout, [7, 70]);
      const expected = unpackTap(packTap(x, bits)).dataSync();
      // with wordBits of 24 the groups are others
      const tolerance = wordBits === 24 ? 1.01 / 127 : 2e-7;
      back.dataSync().forEach((v, i) => {
        expect(Math.abs(v - expected[i]!)).toBeLessThan(tolerance);
      });
    });
  });
});
