import * as tf from '@tensorflow/tfjs-core';
import { input, type layers, model, models, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { draw, maxDifference } from './helpers.ts';

/** One row of the table of layers. */
export interface LayerCase {
  name: string;
  /** Makes the layer with values that are not the defaults. */
  make: () => layers.Layer;
  /** Shapes of its inputs, batch first. */
  shapes: number[][];
  /** What its configuration must say. */
  config: Record<string, unknown>;
  /** Inputs that it reads for their shape alone. */
  shapeOnly?: number[];
}

/** A model of one layer, its sizes but the channels left open. */
function modelOf(layer: layers.Layer, shapes: number[][]) {
  const inputs = shapes.map((shape) =>
    input({ batchShape: shape.map((n, axis) => (axis === shape.length - 1 ? n : null)) }),
  );
  const y = layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as SymbolicTensor;
  return model({ inputs, outputs: y });
}

/**
 * What every layer must do: give the same output after a round trip through JSON and weights, keep its configuration,
 * announce the shape that it gives, have gradients equal to finite differences, and leak nothing.
 */
export async function checkLayer({ make, shapes, config, shapeOnly = [] }: LayerCase): Promise<void> {
  const before = tf.memory().numTensors;
  const original = modelOf(make(), shapes);
  tf.tidy(() => {
    original.setWeights(original.weights.map((w, i) => draw(w.shape as number[], 100 + i, 0.5)));
  });
  const inputs = shapes.map((shape, i) => draw(shape, i + 1));
  const call = (m: typeof original, xs = inputs) => m.apply(xs.length === 1 ? xs[0]! : xs) as tf.Tensor;

  const layer = original.layers.at(-1)!;
  expect(layer.getConfig()).toMatchObject(config);
  const copy = await models.modelFromJSON(JSON.parse(original.toJSON() as string));
  copy.setWeights(original.getWeights());
  expect(copy.layers.at(-1)!.getConfig()).toEqual(layer.getConfig());

  const during = tf.memory().numTensors;
  const y = call(original);
  const again = call(copy as typeof original);
  expect(maxDifference(y, again)).toBe(0);
  expect(layer.computeOutputShape(shapes.length === 1 ? shapes[0]! : shapes)).toEqual(y.shape);
  expect(y.shape.length).toBe((original.outputs[0] as SymbolicTensor).shape.length);
  tf.dispose([y, again]);
  expect(tf.memory().numTensors).toBe(during);

  const differentiated = inputs.filter((_, i) => !shapeOnly.includes(i));
  const withInputs = (xs: tf.Tensor[]) => inputs.map((x, i) => (shapeOnly.includes(i) ? x : xs.shift()!));
  const loss = (...xs: tf.Tensor[]) => tf.tidy(() => weighted(call(original, withInputs([...xs]))));
  checkInputGradients(loss, differentiated);
  checkWeightGradients(
    () => loss(...differentiated),
    original.trainableWeights.map((w) => w.read() as tf.Variable),
  );
  expect(tf.memory().numTensors).toBe(during);
  tf.dispose(inputs);
  original.dispose();
  copy.dispose();
  expect(tf.memory().numTensors).toBe(before);
}

/** A scalar that sees every entry differently. */
export function weighted(y: tf.Tensor): tf.Scalar {
  return tf.sum(tf.mul(y, draw(y.shape, 7))) as tf.Scalar;
}

function checkInputGradients(loss: (...xs: tf.Tensor[]) => tf.Scalar, xs: tf.Tensor[]): void {
  tf.tidy(() => {
    const gradients = tf.grads(loss)(xs);
    xs.forEach((x, i) => {
      const at = (moved: tf.Tensor) =>
        loss(...xs.map((other, k) => (k === i ? moved : other))).dataSync()[0]!;
      expectSlope(`input ${i}`, x, gradients[i]!, at);
    });
  });
}

/** Checks the gradient of each variable along a random direction by a central difference. */
export function checkWeightGradients(loss: () => tf.Scalar, variables: tf.Variable[]): void {
  if (variables.length === 0) return;
  tf.tidy(() => {
    const { grads } = tf.variableGrads(loss, variables);
    for (const variable of variables) {
      const kept = tf.clone(variable);
      const at = (moved: tf.Tensor) => {
        variable.assign(moved);
        return loss().dataSync()[0]!;
      };
      expectSlope(variable.name, kept, grads[variable.name]!, at);
      variable.assign(kept);
    }
  });
}

function expectSlope(name: string, x: tf.Tensor, gradient: tf.Tensor, at: (x: tf.Tensor) => number): void {
  tf.tidy(() => {
    const step = 5e-3;
    const raw = draw(x.shape, 11);
    const direction = tf.div(raw, tf.norm(raw));
    const slope = tf.sum(tf.mul(gradient, direction)).dataSync()[0]!;
    const size = tf.norm(gradient).dataSync()[0]!;
    const ahead = at(tf.add(x, tf.mul(direction, step)));
    const behind = at(tf.sub(x, tf.mul(direction, step)));
    const measured = (ahead - behind) / (2 * step);
    // float32: the loss is good to about 1e-6 of its size, which the division by the step magnifies
    const tolerance = 2e-3 * size + (4e-6 * (Math.abs(ahead) + 1)) / step;
    const error = Math.abs(measured - slope);
    expect(error, `${name}: slope ${slope}, measured ${measured}, gradient norm ${size}`).toBeLessThan(
      tolerance,
    );
    expect(size, `${name}: gradient norm`).toBeGreaterThan(tolerance);
  });
}
