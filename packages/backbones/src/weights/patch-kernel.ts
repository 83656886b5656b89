import { floats, type WeightSource } from '@e3va/weight-files';

/**
 * A convolution of PyTorch, [out, in, size, size] in the file, for a matrix [size² in, out] with rows in the order of
 * `gatherPatches`: column of the patch, row of the patch, channel.
 */
export function patchKernel(
  name: string,
  [rows, outputs]: readonly [number, number],
  size: number,
): WeightSource {
  const inputs = rows / size ** 2;
  return {
    parts: [{ name, shape: [outputs, inputs, size, size] }],
    convert: ([array]) => {
      const from = floats(array!);
      const to = new Float32Array(from.length);
      let at = 0;
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) {
          for (let y = 0; y < size; y++) {
            for (let x = 0; x < size; x++) to[((x * size + y) * inputs + i) * outputs + o] = from[at++]!;
          }
        }
      }
      return to;
    },
  };
}
