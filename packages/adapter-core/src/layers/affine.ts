import { gelu } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { type Layer, weightName } from '../copy-layer.ts';
import { convMap, denseMap, type LinearMap, rowsOf } from './linear-map.ts';

/** What a layer of the form `activation(map(x, kernel) + bias)` is. */
export interface Affine {
  map: LinearMap;
  activation: string;
  /** Whether the layer is known to be exactly of this form; if not, it is only said to be so by whoever chose it. */
  known: boolean;
}

/**
 * A layer as an affine map with an activation, judged by its class and configuration: a Dense, a Conv2D with channels
 * last, or another layer that gives its `activation` in its configuration.
 *
 * A layer of another package says that it is exactly `activation(x · kernel + bias)` over the last axis by a property
 * `affine: true`.
 *
 * @returns Undefined if it is of another kind.
 */
export function affineOf(layer: Layer): Affine | undefined {
  const config = layer.getConfig() as Record<string, unknown>;
  const activation = config.activation;
  if (typeof activation !== 'string' || !hasKernelOnly(layer)) return undefined;
  const className = layer.getClassName();
  if (className === 'Dense') return { map: denseMap, activation, known: true };
  if (className === 'Conv2D') {
    if (config.dataFormat === 'channelsFirst') return undefined;
    return { map: convolution(config), activation, known: true };
  }
  if (builtIn.has(className)) return undefined;
  return { map: denseMap, activation, known: (layer as { affine?: boolean }).affine === true };
}

/** Layers of tfjs-layers with an activation that are no products over the last axis. */
const builtIn = new Set(
  'Activation Conv1D Conv3D Conv2DTranspose Conv3DTranspose DepthwiseConv2D SeparableConv2D SimpleRNN SimpleRNNCell GRU GRUCell LSTM LSTMCell'.split(
    ' ',
  ),
);

/** Whether the weights of a built layer are a kernel and at most a bias, of shapes that go together. */
function hasKernelOnly(layer: Layer): boolean {
  if (!layer.built) return true; // to be seen
  const shapes = new Map(layer.weights.map((w) => [weightName(layer, w), w.shape]));
  const kernel = shapes.get('kernel');
  const rank = layer.getClassName() === 'Conv2D' ? 4 : 2;
  if (!kernel || kernel.length !== rank || shapes.size > 2) return false;
  return shapes.size === 1 || shapes.get('bias')?.join() === String(kernel.at(-1));
}

function convolution({ kernelSize, strides, padding, dilationRate }: Record<string, unknown>): LinearMap {
  const pair = (value: unknown) => (Array.isArray(value) ? value : [value, value]) as [number, number];
  const [size, step, dilation] = [pair(kernelSize), pair(strides), pair(dilationRate ?? 1)];
  if ([...size, ...step].every((n) => n === 1)) return denseMap1x1;
  return convMap({ strides: step, padding: padding === 'same' ? 'same' : 'valid', dilation });
}

/** A 1 × 1 convolution of stride 1 is a product over the last axis. */
const denseMap1x1: LinearMap = {
  apply: (x, kernel, bias) => tf.tidy(() => denseMap.apply(x, rowsOf(kernel), bias)),
  inputGradient: (dy, kernel, shape) => tf.tidy(() => denseMap.inputGradient(dy, rowsOf(kernel), shape)),
  kernelGradient: (x, dy, shape) => tf.tidy(() => tf.reshape(denseMap.kernelGradient(x, dy, shape), shape)),
};

/** Applies an activation by its name; `gelu` is the exact one, with a gradient that keeps its input alone. */
export function activate(name: string, x: tf.Tensor): tf.Tensor {
  if (name === 'linear') return x;
  if (name === 'gelu') return gelu(x);
  return layers.activation({ activation: name as 'relu' }).call(x, {}) as tf.Tensor;
}

/**
 * `map(x, kernel) + bias` with constant weights: between forward and backward nothing is held, and the backward pass
 * computes the gradient of the input alone. Plain operations hold the input, and those of a fused product or
 * convolution also compute the gradients of kernel and bias.
 */
export function frozenAffine(map: LinearMap, x: tf.Tensor, kernel: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const { shape } = x;
  const op = tf.customGrad((x) => ({
    value: map.apply(x as tf.Tensor, kernel, bias),
    gradFunc: (dy: tf.Tensor) => map.inputGradient(dy, kernel, shape),
  }));
  return op(x);
}
