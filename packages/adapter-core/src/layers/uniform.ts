import { initializers } from '@tensorflow/tfjs-layers';

/**
 * Uniform in ±1/√fanIn: Kaiming's with a = √5, the default of PyTorch's linear layers.
 *
 * @param seed Not zero, with which tfjs draws at random.
 */
export function uniform(fanIn: number, seed: number) {
  const bound = 1 / Math.sqrt(fanIn);
  return initializers.randomUniform({ minval: -bound, maxval: bound, seed });
}
