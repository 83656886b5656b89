import * as tf from '@tensorflow/tfjs-core';
import {
  initializers,
  input,
  type LayersModel,
  layers,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';

const conv = (name: string, filters: number, kernelSize: number, strides: number, seed: number) =>
  layers.conv2d({
    name,
    filters,
    kernelSize,
    strides,
    padding: 'same',
    kernelInitializer: initializers.randomNormal({ stddev: 0.3, seed }),
    biasInitializer: initializers.randomNormal({ stddev: 0.1, seed: seed + 500 }),
  });

/**
 * A small residual backbone of two stages with two blocks each and a normalisation in front of each output:
 * images [batch, any, any, 3] → maps of 6 channels at stride 2 and of 10 channels at stride 4.
 */
export function tinyBackbone(seed = 1, activation: 'relu' | 'tanh' = 'relu'): LayersModel {
  const images = input({ shape: [null, null, 3], name: `images${seed}` });
  let z = conv('stem', 6, 3, 2, seed).apply(images) as SymbolicTensor;
  const outputs: SymbolicTensor[] = [];
  [6, 10].forEach((channels, s) => {
    if (s > 0) z = conv(`stages.${s}.downsample`, channels, 2, 2, seed + 10 * s).apply(z) as SymbolicTensor;
    for (let b = 0; b < 2; b++) {
      const name = `stages.${s}.blocks.${b}`;
      const hidden = layers.activation({ name: `${name}.act`, activation }).apply(z) as SymbolicTensor;
      const branch = conv(`${name}.mlp`, channels, 3, 1, seed + 100 * s + b).apply(hidden) as SymbolicTensor;
      z = layers.add({ name: `${name}.add` }).apply([z, branch]) as SymbolicTensor;
    }
    const norm = layers.layerNormalization({
      name: `norm${s}`,
      gammaInitializer: initializers.randomNormal({ mean: 1, stddev: 0.2, seed: seed + s }),
    });
    outputs.push(norm.apply(z) as SymbolicTensor);
  });
  return model({ inputs: images, outputs, name: 'tiny' });
}

/** The same chain without a residual stream: no addition anywhere. */
export function tinyChain(): LayersModel {
  const images = input({ shape: [32, 32, 3], name: 'chain_images' });
  let x = images;
  [4, 4, 8].forEach((filters, i) => {
    x = conv(`conv${i}`, filters, 3, i === 1 ? 1 : 2, i + 1).apply(x) as SymbolicTensor;
  });
  return model({ inputs: images, outputs: x, name: 'chain' });
}

/** Copies of a model's weights, byte for byte. */
export const weightBytes = (base: LayersModel): string[] =>
  base.weights.map((w) =>
    Buffer.from(new Uint8Array((w.read() as tf.Tensor).dataSync().slice().buffer)).toString('base64'),
  );

/** Largest absolute difference of two tensors of one shape. */
export function maxDifference(a: tf.Tensor, b: tf.Tensor): number {
  if (a.shape.join() !== b.shape.join()) return Number.POSITIVE_INFINITY;
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!);
}
