import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { expect } from 'vitest';
import { expectClose, type FixtureTensor, readTensors, toNhwc } from '../../../../tests/support/tensors.ts';
import type { Detection, DetectionLosses, DetectionTargets, ImageSize } from '../../src/detection.ts';

/** The tensors of a fixture of this package. */
export class Reference {
  private readonly tensors: Map<string, FixtureTensor>;

  constructor(name: string) {
    this.tensors = readTensors(new URL(`../fixtures/${name}.safetensors`, import.meta.url));
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  data(name: string): Float32Array {
    return this.tensors.get(name)!.data as Float32Array;
  }

  /** Of PyTorch's layout. */
  tensor(name: string): tf.Tensor {
    return toTensor(this.tensors.get(name)!);
  }

  /** A map of PyTorch's layout, in ours. */
  map(name: string): tf.Tensor4D {
    return toNhwc(this.tensors.get(name)!);
  }

  /** `feature.0` and so on. */
  features(prefix = 'feature'): tf.Tensor4D[] {
    const names = [...this.tensors.keys()].filter((name) => name.startsWith(`${prefix}.`)).sort();
    return names.map((name) => this.map(name));
  }

  /** Writes convolutions into layers: `names` leads from the layer's name to that of PyTorch's module. */
  loadConvs(model: LayersModel, names: (layer: string) => string): void {
    for (const weight of model.weights) {
      const value = this.tensors.get(torchName(weight, names))!;
      weight.write(value.shape.length === 4 ? tf.transpose(toTensor(value), [2, 3, 1, 0]) : toTensor(value));
    }
  }

  /** Compares the gradients of those weights that the fixture has one of; returns how many it has. */
  expectGradients(model: LayersModel, grads: tf.NamedTensorMap, names: (layer: string) => string): number {
    let compared = 0;
    for (const weight of model.weights) {
      const expected = this.tensors.get(torchName(weight, names));
      if (!expected) continue;
      const actual = grads[(weight.read() as tf.Variable).name]!;
      expectClose(actual.rank === 4 ? tf.transpose(actual, [3, 2, 0, 1]) : actual, expected.data, 1e-5, 1e-4);
      compared++;
    }
    return compared;
  }

  /** How many tensors' names start so. */
  count(prefix: string): number {
    return [...this.tensors.keys()].filter((name) => name.startsWith(prefix)).length;
  }

  /** The objects of both images, `target.0.boxes` and so on. */
  targets(prefix: string, firstLabel = 0): DetectionTargets[] {
    return [0, 1].map((image) => ({
      boxes: this.data(`${prefix}.${image}.boxes`),
      labels: Int32Array.from(this.data(`${prefix}.${image}.labels`), (label) => label - firstLabel),
    }));
  }

  /** The detections `PREFIX.IMAGE`, in their exact order. */
  expectDetections(actual: Detection[], prefix: string, firstLabel = 0): void {
    const labels = Array.from(this.data(`${prefix}.labels`), (label) => label - firstLabel);
    expect(actual.map((d) => d.label)).toEqual(labels);
    expectClose(
      actual.flatMap((d) => d.box),
      this.data(`${prefix}.boxes`),
      1e-3,
    );
    expectClose(
      actual.map((d) => d.score),
      this.data(`${prefix}.scores`),
      1e-5,
    );
  }
}

/** The sizes of the two images of the fixtures, and what they are padded to. */
export const imageSizes: ImageSize[] = [
  { height: 120, width: 150 },
  { height: 128, width: 160 },
];

function torchName(weight: LayerVariable, names: (layer: string) => string): string {
  const [layer, kind] = weight.originalName.split('/') as [string, string];
  return `${names(layer)}.${kind === 'kernel' ? 'weight' : 'bias'}`;
}

function toTensor({ shape, data }: FixtureTensor): tf.Tensor {
  return tf.tensor(data, shape);
}

/** The gradients of a loss in feature maps and weights at once. */
export function gradientsOf(loss: (features: tf.Tensor4D[]) => tf.Scalar, features: tf.Tensor4D[]) {
  const variables = features.map((f) => tf.variable(f));
  const { value, grads } = tf.variableGrads(() => loss(variables as unknown as tf.Tensor4D[]));
  return { value, grads, featureGrads: variables.map((v) => grads[v.name]!) };
}

/** {@link gradientsOf} the sum of named losses, and these. */
export function lossesAndGradients(
  run: (features: tf.Tensor4D[]) => DetectionLosses,
  features: tf.Tensor4D[],
) {
  const kept: Record<string, tf.Tensor> = {};
  const result = gradientsOf((maps) => {
    const { total, losses } = run(maps);
    for (const [name, loss] of Object.entries(losses)) kept[name] = tf.keep(loss);
    return total;
  }, features);
  return { ...result, losses: kept };
}
