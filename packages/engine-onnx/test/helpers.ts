import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { input, type LayersModel, type layers, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import * as ort from 'onnxruntime-node';
import { expect } from 'vitest';
import { type ToOnnxOptions, toOnnx } from '../src/index.ts';

/** Deterministic numbers of order one. */
export const draw = (shape: number[], seed: number, scale = 1): tf.Tensor =>
  tf.randomNormal(shape, 0, scale, 'float32', seed + 1);

/** Gives every weight of a model numbers of order one; variances stay positive. */
function drawWeights(of: LayersModel, scale = 0.5): void {
  tf.tidy(() => {
    of.setWeights(
      of.weights.map((w, i) => {
        const values = draw(w.shape as number[], 100 + i, scale);
        return /variance/i.test(w.originalName) ? tf.add(tf.abs(values), 0.1) : values;
      }),
    );
  });
}

/** A model of one layer; the sizes of its inputs, but the last, are open where that is asked for. */
export function modelOf(
  layer: layers.Layer,
  shapes: number[][],
  open: boolean,
  dtype?: tf.DataType,
): LayersModel {
  const inputs = shapes.map((shape) => {
    const batchShape = shape.map((n, axis) => (axis === 0 || (open && axis < shape.length - 1) ? null : n));
    return input({ batchShape, dtype });
  });
  const y = layer.apply(inputs.length === 1 ? inputs[0]! : inputs) as SymbolicTensor;
  const made = model({ inputs, outputs: y });
  drawWeights(made);
  return made;
}

/** What ONNX Runtime makes of a file, and of inputs in the file's order. */
export async function runFile(file: Uint8Array, inputs: tf.Tensor[]): Promise<tf.Tensor[]> {
  const session = await ort.InferenceSession.create(file, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  const feeds = Object.fromEntries(
    inputs.map((t, i) => {
      const data = t.dtype === 'int32' ? Int32Array.from(t.dataSync()) : Float32Array.from(t.dataSync());
      return [session.inputNames[i]!, new ort.Tensor(t.dtype as 'float32', data as Float32Array, t.shape)];
    }),
  );
  const results = await session.run(feeds);
  const tensors = session.outputNames.map((name) =>
    tf.tensor(
      results[name]!.data as Float32Array,
      [...results[name]!.dims],
      results[name]!.type as 'float32',
    ),
  );
  await session.release();
  return tensors;
}

/** Largest difference of two tensors of one shape; NaN if one holds NaN. */
export function maxDifference(a: tf.Tensor, b: tf.Tensor): number {
  expect(a.shape).toEqual(b.shape);
  return tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!);
}

/** Largest difference of a model and its file on inputs, over all outputs. */
export async function difference(of: LayersModel, inputs: tf.Tensor[], options: ToOnnxOptions = {}) {
  const results = await runFile(await toOnnx(of, options), inputs);
  const wanted = [of.apply(inputs.length === 1 ? inputs[0]! : inputs) as tf.Tensor | tf.Tensor[]].flat();
  expect(results.length).toBe(wanted.length);
  const differences = results.map((result, i) => maxDifference(result, wanted[i]!));
  tf.dispose([results, wanted]);
  return differences.some(Number.isNaN) ? Number.NaN : Math.max(...differences);
}
