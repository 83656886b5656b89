import * as tf from '@tensorflow/tfjs-core';
import {
  input,
  type LayersModel,
  type LayerVariable,
  type layers,
  model,
  models,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { expectClose, expectSlope, leakOf, normal } from './tensors.ts';

/**
 * What every layer must keep: the shape it declares, the same configuration and outputs after a round trip through JSON
 * and weights, no tensor left behind, and the gradients of its inputs and trainable weights.
 *
 * @param layer A layer that was not applied yet, with options that are not the defaults.
 * @param shapes Shapes of its inputs, [batch, height, width, channels] each.
 * @param options `gradientModes`: values of `training` under which it is the same function at each call.
 */
export async function expectLayerContract(
  layer: layers.Layer,
  shapes: number[][],
  { gradientModes = [false, true] } = {},
): Promise<void> {
  const inputs = shapes.map((shape) => input({ shape: [null, null, shape[3]!] }));
  const outputs = layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as SymbolicTensor;
  const original = model({ inputs, outputs });
  original.setWeights(
    original.getWeights().map((w, i) => tf.add(tf.abs(normal(w.shape as [number], 90 + i)), 0.1)),
  );
  const values = shapes.map((shape, i) => normal(shape as [number], 70 + i));

  const restored = await roundTrip(original);
  expect(restored.getLayer(layer.name).getConfig()).toEqual(layer.getConfig());
  for (const training of [false, true]) {
    const [a, b] = [original, restored].map((m) => m.apply(values, { training }) as tf.Tensor);
    expectClose(a!, b!, 0);
    expect(a!.shape).toEqual(layer.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes));
    expect(leakOf(() => tf.dispose(original.apply(values, { training }) as tf.Tensor))).toBe(0);
  }
  for (const training of gradientModes) expectModelGradients(original, values, training);
}

/** The gradients of a random projection of the output in the inputs and in the trainable weights. */
function expectModelGradients(net: LayersModel, values: tf.Tensor[], training: boolean): void {
  const output = (xs: tf.Tensor[]) => net.apply(xs, { training }) as tf.Tensor;
  const upstream = normal(output(values).shape as [number], 99);
  const loss = (...xs: tf.Tensor[]) => tf.sum(tf.mul(output(xs), upstream)) as tf.Scalar;
  values.forEach((value, i) => {
    const at = (x: tf.Tensor) => loss(...values.with(i, x));
    expectSlope(at, value, tf.grad(at)(value));
  });
  for (const weight of net.trainableWeights as LayerVariable[]) {
    const value = tf.clone(weight.read());
    const { grads } = tf.variableGrads(() => loss(...values), [weight.read() as tf.Variable]);
    const lossAt = (w: tf.Tensor) => {
      weight.write(w);
      return loss(...values);
    };
    expectSlope(lossAt, value, Object.values(grads)[0]!);
    weight.write(value);
  }
}

/** The model rebuilt from its JSON, with its weights. */
export async function roundTrip(original: LayersModel): Promise<LayersModel> {
  const restored = await models.modelFromJSON(JSON.parse(original.toJSON() as string));
  restored.setWeights(original.getWeights());
  return restored;
}
