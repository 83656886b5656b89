import { floats, linear, type WeightSource } from '@e3va/weight-files';

/**
 * The patch embedding, a convolution [out, 3, p, p] in files, for a matrix [p * p * 3, out] with rows in the order of
 * {@link gatherPatches}: column of the patch, row of the patch, colour.
 */
export function patchMatrix(name: string, [size, out]: readonly [number, number]): WeightSource {
  const side = Math.sqrt(size / 3);
  return {
    parts: [{ name, shape: [out, 3, side, side] }],
    convert: ([array]) => {
      const from = floats(array!);
      const to = new Float32Array(from.length);
      for (let o = 0, at = 0; o < out; o++) {
        for (let colour = 0; colour < 3; colour++) {
          for (let y = 0; y < side; y++) {
            for (let x = 0; x < side; x++) to[((x * side + y) * 3 + colour) * out + o] = from[at++]!;
          }
        }
      }
      return to;
    },
  };
}

/** Where nn.Unfold puts the pixels (row, column) that we join in the order (0, 0), (1, 0), (0, 1), (1, 1). */
const unfolded = [0, 2, 1, 3];

/** A vector over the four joined pixels, in nn.Unfold's order in the file: channel by channel. */
export function mergedVector(name: string, size: number): WeightSource {
  return { parts: [{ name, shape: [size] }], convert: ([array]) => byPixel(floats(array!), 1) };
}

/** The matrix behind patch merging, whose inputs are in nn.Unfold's order in the file. */
export function mergedMatrix(name: string, shape: readonly [number, number]): WeightSource {
  const plain = linear(name, shape);
  return { ...plain, convert: (arrays) => byPixel(plain.convert!(arrays), shape[1]) };
}

/** Rows of `width` numbers from nn.Unfold's order, [channels, 4], to [4, channels] in ours. */
function byPixel(rows: Float32Array, width: number): Float32Array {
  const out = new Float32Array(rows.length);
  const channels = rows.length / width / 4;
  unfolded.forEach((pixel, p) => {
    for (let c = 0; c < channels; c++) {
      const from = (c * 4 + pixel) * width;
      out.set(rows.subarray(from, from + width), (p * channels + c) * width);
    }
  });
  return out;
}
