/** How the channels of a token lie in words. */
export interface RowLayout {
  channels: number;
  /** Groups of channels, each with a scale of its own. */
  groups: number;
  /** Words of a group; word j holds the codes of the group's channels j, j + words, j + 2·words, … */
  words: number;
  /** Codes in a word. */
  perWord: number;
  /** Bits of a code. */
  bits: 8 | 16;
}

/**
 * The largest code. Below half the base, so far that a word rounded to float32 still gives its digits by rounding.
 */
export const limits = { 8: 127, 16: 32_639 } as const;

/** Added and taken away again it rounds a number to the nearest integer, halves to even ones. */
const rounder = 1.5 * 2 ** 52;

/** Packs tokens [n, C] into words [n, groups · words] and scales [n, groups]. */
export function packRows(x: Float32Array, layout: RowLayout, codes: Int32Array, scales: Float32Array): void {
  const { channels, groups, words, perWord, bits } = layout;
  const limit = limits[bits];
  const width = words * perWord;
  const tokens = scales.length / groups;
  let word = 0;
  for (let token = 0; token < tokens; token++) {
    for (let group = 0; group < groups; group++) {
      const start = token * channels + group * width;
      const end = Math.min(start + width, (token + 1) * channels);
      let largest = 0;
      for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(x[i]!));
      scales[token * groups + group] = largest / limit;
      const factor = largest > 0 ? limit / largest : 0;
      for (let j = start; j < start + words; j++) {
        let sum = 0;
        for (let i = j, shift = 0; i < end; i += words, shift += bits) {
          sum += (x[i]! * factor + rounder - rounder) << shift;
        }
        codes[word++] = sum;
      }
    }
  }
}

/** Gives back the tokens [n, C] of {@link packRows}, rounded. */
export function unpackRows(
  codes: Int32Array,
  scales: Float32Array,
  layout: RowLayout,
  x: Float32Array,
): void {
  const { channels, groups, words, perWord, bits } = layout;
  const width = words * perWord;
  const tokens = scales.length / groups;
  // a digit is the lowest bits as a signed number; what is left is a multiple of the base
  const unused = 32 - bits;
  let word = 0;
  for (let token = 0; token < tokens; token++) {
    for (let group = 0; group < groups; group++) {
      const start = token * channels + group * width;
      const end = Math.min(start + width, (token + 1) * channels);
      const scale = scales[token * groups + group]!;
      for (let j = start; j < start + words; j++) {
        let rest = codes[word++]!;
        for (let i = j; i < end; i += words) {
          const digit = (rest << unused) >> unused;
          x[i] = digit * scale;
          rest = (rest - digit) >> bits;
        }
      }
    }
  }
}
