import * as tf from '@tensorflow/tfjs-core';
import {
  input,
  type LayersModel,
  layers,
  loadLayersModel,
  model,
  type SymbolicTensor,
  sequential,
} from '@tensorflow/tfjs-layers';
import { modelFile } from '../../src/index.ts';

/** A converted Keras model of this folder, made by make-keras-models.py. */
export const kerasModel = (name: string): Promise<LayersModel> =>
  loadLayersModel(modelFile(new URL(`./${name}`, import.meta.url).pathname));

/** The input that Keras's predictions beside the models are for. */
export const sine = (shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(0.37 * i)),
    shape,
  );

/** A layer of a class that is not registered: x · weight + x. */
class Unregistered extends layers.Layer {
  static className = 'Unregistered';
  private weight!: ReturnType<layers.Layer['addWeight']>;

  override build(shape: number[]): void {
    this.weight = this.addWeight('weight', [shape.at(-1)!], 'float32', {
      apply: (s: number[]) => tf.fill(s, 0.3),
    } as never);
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = [inputs].flat()[0]!;
    return tf.tidy(() => tf.add(x, tf.mul(x, this.weight.read())));
  }
}

const apply = (layer: layers.Layer, ...x: SymbolicTensor[]) =>
  layer.apply(x.length === 1 ? x[0]! : x) as SymbolicTensor;

/** A chain of depthwise, separable and normal convolutions with batch normalisation and a classifier, by tf.sequential. */
function chain(): LayersModel {
  return sequential({
    name: 'chain',
    layers: [
      layers.conv2d({ name: 'conv0', filters: 6, kernelSize: 3, padding: 'same', inputShape: [16, 16, 3] }),
      layers.batchNormalization({ name: 'bn0' }),
      layers.activation({ name: 'relu0', activation: 'relu' }),
      layers.depthwiseConv2d({ name: 'depthwise', kernelSize: 3, strides: 2, padding: 'same' }),
      layers.separableConv2d({
        name: 'separable',
        filters: 8,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
      }),
      new Unregistered({ name: 'custom' }),
      layers.maxPooling2d({ name: 'pool', poolSize: 2 }),
      layers.conv2d({ name: 'conv1', filters: 10, kernelSize: 3, padding: 'same', activation: 'relu' }),
      layers.globalAveragePooling2d({ name: 'gap' }),
      layers.dropout({ name: 'dropout', rate: 0.5 }),
      layers.dense({ name: 'fc', units: 5, activation: 'softmax' }),
    ],
  });
}

/** Two inputs, a layer that both of them share, a concatenation, and two outputs: a class and a map. */
function twoInputs(): LayersModel {
  const images = [input({ shape: [16, 16, 3], name: 'left' }), input({ shape: [16, 16, 3], name: 'right' })];
  const shared = layers.conv2d({
    name: 'shared',
    filters: 4,
    kernelSize: 3,
    strides: 2,
    padding: 'same',
    activation: 'relu',
  });
  const both = apply(layers.concatenate({ name: 'both' }), ...images.map((x) => apply(shared, x)));
  const branch = apply(layers.conv2d({ name: 'branch', filters: 8, kernelSize: 3, padding: 'same' }), both);
  const map = apply(layers.add({ name: 'add' }), both, branch);
  const pooled = apply(layers.globalAveragePooling2d({ name: 'gap' }), map);
  const scores = apply(layers.dense({ name: 'fc', units: 5, activation: 'softmax' }), pooled);
  return model({ inputs: images, outputs: [scores, map], name: 'two_inputs' });
}

/** A classifier around a nested model, itself with a nested model, used as Keras users do. */
function nested(): LayersModel {
  const inner = sequential({
    name: 'inner',
    layers: [
      layers.conv2d({
        name: 'conv_a',
        filters: 6,
        kernelSize: 3,
        padding: 'same',
        activation: 'relu',
        inputShape: [8, 8, 6],
      }),
      layers.conv2d({ name: 'conv_b', filters: 6, kernelSize: 3, padding: 'same', activation: 'relu' }),
    ],
  });
  const x = input({ shape: [16, 16, 3], name: 'body_input' });
  const stem = apply(
    layers.conv2d({ name: 'stem', filters: 6, kernelSize: 3, strides: 2, padding: 'same' }),
    x,
  );
  const body = model({ inputs: x, outputs: apply(inner as unknown as layers.Layer, stem), name: 'body' });
  const image = input({ shape: [16, 16, 3], name: 'image' });
  const map = apply(
    layers.conv2d({ name: 'after', filters: 8, kernelSize: 1 }),
    apply(body as unknown as layers.Layer, image),
  );
  const pooled = apply(layers.globalAveragePooling2d({ name: 'gap' }), map);
  return model({
    inputs: image,
    outputs: apply(layers.dense({ name: 'fc', units: 5, activation: 'softmax' }), pooled),
    name: 'nested',
  });
}

/** A text classifier whose recurrent layer reads the mask of its embedding: token ids → scores. */
function text(): LayersModel {
  return sequential({
    name: 'text',
    layers: [
      layers.embedding({ name: 'embedding', inputDim: 20, outputDim: 6, inputLength: 9, maskZero: true }),
      layers.lstm({ name: 'lstm', units: 6, recurrentInitializer: 'glorotNormal' }),
      layers.dense({ name: 'fc', units: 3, activation: 'softmax' }),
    ],
  });
}

/** Models built here from layers. */
export const built = { chain, twoInputs, nested, text };
