import { gelu } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';
import { type Layer, weightName } from '../copy-layer.ts';
import { convMap, denseMap, type LinearMap, rowsOf } from './linear-map.ts';

/** What a layer of the form `activation(map(x, kernel) + bias)` is. */
export interface Affine {
  map: LinearMap;
  activation: string;
}

/**
 * A layer as an affine map with an activation, judged by its class and configuration: a Dense, a Conv2D with channels
 * last, or a layer of another class that says by a property `affine: true` that it is exactly
 * `activation(x · kernel + bias)` over the last axis, with the activation's name in its configuration.
 *
 * @returns Undefined if it is of another kind.
 */
export function affineOf(layer: Layer): Affine | undefined {
  const config = layer.getConfig() as Record<string, unknown>;
  const activation = config.activation;
  if (typeof activation !== 'string' || !hasKernelOnly(layer)) return undefined;
  const className = layer.getClassName();
  if (className === 'Dense')
    return { map: fusedActivations.has(activation) ? denseMap : looseBiasMap, activation };
  if (className === 'Conv2D') {
    if (config.dataFormat === 'channelsFirst') return undefined;
    return { map: convolution(config), activation };
  }
  return (layer as { affine?: boolean }).affine === true ? { map: denseMap, activation } : undefined;
}

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

/** A 1 × 1 convolution of stride 1 is a product over the last axis, which has the faster gradient. */
const denseMap1x1: LinearMap = {
  apply: convMap({ strides: [1, 1], padding: 'valid', dilation: [1, 1] }).apply,
  inputGradient: (dy, kernel, shape) => tf.tidy(() => denseMap.inputGradient(dy, rowsOf(kernel), shape)),
  kernelGradient: (x, dy, shape) => tf.tidy(() => tf.reshape(denseMap.kernelGradient(x, dy, shape), shape)),
};

/** The activations that a Dense of tfjs fuses with its product; in front of others it adds the bias by itself. */
const fusedActivations = new Set(['linear', 'relu', 'elu']);

const looseBiasMap: LinearMap = {
  ...denseMap,
  apply: (x, kernel, bias) =>
    tf.tidy(() => (bias ? tf.add(denseMap.apply(x, kernel), bias) : denseMap.apply(x, kernel))),
};

/** Applies an activation by its name; `gelu` is the exact one, with a gradient that keeps its input alone. */
export function activate(name: string, x: tf.Tensor): tf.Tensor {
  if (name === 'linear') return x;
  if (name === 'gelu') return gelu(x);
  return layers.activation({ activation: name as 'relu' }).call(x, {}) as tf.Tensor;
}
