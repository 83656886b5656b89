import * as tf from '@tensorflow/tfjs-core';
import { type Layer, weightName } from '../copy-layer.ts';
import { activate, affineOf } from './affine.ts';
import { type LinearMap, rowsOf } from './linear-map.ts';

/** What a layer computes, from its inputs. */
export type LayerFunction = (inputs: tf.Tensor[]) => tf.Tensor;

/**
 * What a built layer with frozen weights computes, with a gradient that holds nothing of the layer's inputs; for
 * products, convolutions, additions and batch normalisations. The plain operations hold their inputs, and those of a
 * fused product or convolution also compute the gradient of the kernel.
 *
 * @param trained Names of the weights that are trained all the same.
 * @returns Undefined if the layer is of another kind, or trains something else than its bias.
 */
export function frozenFunction(layer: Layer, trained: readonly string[]): LayerFunction | undefined {
  const read = (name: string) => layer.weights.find((w) => weightName(layer, w) === name)?.read();
  const affine = affineOf(layer);
  // the plain product without a bias computes no gradient of a frozen kernel. It holds its input, and has to: where a patch
  // merging on the highway let go of it, the heap of the wasm backend grew from step to step (tests/long-run.slow.test.ts)
  if (affine && !read('bias')) return undefined;
  if (affine && trained.every((name) => name === 'bias')) {
    const { map, activation } = affine;
    const learns = trained.length > 0;
    return ([x]) => activate(activation, frozenAffine(map, x!, read('kernel')!, read('bias'), learns));
  }
  const { axis, epsilon } = layer.getConfig() as { axis?: number; epsilon?: number };
  if (layer.getClassName() === 'BatchNormalization' && epsilon !== undefined) {
    return ([x]) => {
      const last = axis === -1 || axis === x!.rank - 1;
      if (!last) return layer.call(x!, { training: false }) as tf.Tensor;
      if (trained.length > 0) return scaled(x!, read, epsilon);
      return frozenScaling(layer, x!, read('moving_variance')!, read('gamma'), epsilon);
    };
  }
  if (layer.getClassName() === 'Add' && trained.length === 0) return (inputs) => frozenSum(layer, inputs);
  return undefined;
}

/**
 * Batch normalisation by constant statistics with scale and offset on the tape. tfjs's own has no gradient where there is no
 * scale.
 */
function scaled(x: tf.Tensor, read: (name: string) => tf.Tensor | undefined, epsilon: number): tf.Tensor {
  const [gamma, beta] = [read('gamma'), read('beta')];
  const unit = tf.rsqrt(tf.add(read('moving_variance')!, epsilon));
  const scale = gamma ? tf.mul(unit, gamma) : unit;
  const shift = tf.mul(read('moving_mean')!, scale);
  return tf.add(tf.mul(x, scale), beta ? tf.sub(beta, shift) : tf.neg(shift));
}

/** `map(x, kernel) + bias` with a constant kernel. */
function frozenAffine(
  map: LinearMap,
  x: tf.Tensor,
  kernel: tf.Tensor,
  bias: tf.Tensor | undefined,
  biasLearns: boolean,
): tf.Tensor {
  const { shape } = x;
  const op = tf.customGrad((x) => ({
    value: map.apply(x as tf.Tensor, kernel, bias),
    gradFunc: (dy: tf.Tensor) => {
      const dX = map.inputGradient(dy, kernel, shape);
      return (biasLearns ? [dX, tf.tidy(() => tf.sum(rowsOf(dy), 0))] : dX) as tf.Tensor;
    },
  }));
  return biasLearns && bias ? op(x, bias) : op(x);
}

/** The sum of tensors, by the layer itself where they differ in shape. */
function frozenSum(layer: Layer, inputs: tf.Tensor[]): tf.Tensor {
  const shape = inputs[0]!.shape.join();
  if (inputs.some((t) => t.shape.join() !== shape)) return layer.call(inputs, {}) as tf.Tensor;
  const op = tf.customGrad((...args) => {
    const list = args.slice(0, inputs.length) as tf.Tensor[];
    return {
      value: tf.tidy(() => list.reduce((sum, t) => tf.add(sum, t))),
      gradFunc: (dy: tf.Tensor) => inputs.map(() => tf.clone(dy)) as unknown as tf.Tensor,
    };
  });
  return op(...inputs);
}

/** Batch normalisation by constant statistics. */
function frozenScaling(
  layer: Layer,
  x: tf.Tensor,
  variance: tf.Tensor,
  gamma: tf.Tensor | undefined,
  epsilon: number,
): tf.Tensor {
  const op = tf.customGrad((x) => ({
    value: tf.tidy(() => layer.call(x as tf.Tensor, { training: false }) as tf.Tensor),
    gradFunc: (dy: tf.Tensor) =>
      tf.tidy(() => {
        const unit = tf.rsqrt(tf.add(variance, epsilon));
        return tf.mul(dy, gamma ? tf.mul(unit, gamma) : unit);
      }),
  }));
  return op(x);
}
