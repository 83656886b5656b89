import * as tf from '@tensorflow/tfjs-core';
import type { layers, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';

/** Puts a layer on symbolic inputs. */
export type ApplyLayer = (layer: layers.Layer, inputs: SymbolicTensor | SymbolicTensor[]) => SymbolicTensor;

/**
 * Builds layers whose weights are zero: for weights that are loaded next. Nothing is drawn, and weights of one size share their memory
 * until they are loaded, so that a model is not held twice.
 *
 * @param build Gets what builds a layer and puts it on its inputs.
 * @returns What `build` returns.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { input, layers, model } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { blankWeights } from '@e3va/weight-files';
 *
 * await tf.setBackend('cpu');
 * const blank = blankWeights((apply) => {
 *   const x = input({ shape: [3] });
 *   return model({ inputs: x, outputs: apply(layers.dense({ units: 2 }), x) });
 * });
 * console.log(await blank.getWeights()[0]!.array()); // [[0, 0], [0, 0], [0, 0]]
 * ```
 */
export function blankWeights<T>(build: (apply: ApplyLayer) => T): T {
  const zeros = new Map<number, tf.Tensor>();
  const initializer = {
    apply(shape: Shape): tf.Tensor {
      const size = (shape as number[]).reduce((a, b) => a * b, 1);
      if (!zeros.has(size)) zeros.set(size, tf.zeros([size]));
      return tf.reshape(zeros.get(size)!, shape as number[]); // the same memory
    },
  };
  try {
    return build((layer, inputs) => {
      startWith(layer, initializer);
      return layer.apply(inputs) as SymbolicTensor;
    });
  } finally {
    tf.dispose([...zeros.values()]);
  }
}

/** What a layer's weights are made by, as far as it is used here. */
interface WeightMaker {
  addWeight(...args: unknown[]): unknown;
}

/** Makes a layer take an initializer in place of its own for every weight of float32, through the door that tfjs-layers has for it. */
function startWith(layer: layers.Layer, initializer: unknown): void {
  layer.setFastWeightInitDuringBuild(true);
  const maker = layer as unknown as WeightMaker;
  const add = maker.addWeight.bind(layer);
  maker.addWeight = (name, shape, dtype, ...rest) => {
    const [own, regularizer, trainable, constraint] = rest;
    const plain = dtype === undefined || dtype === null || dtype === 'float32';
    return add(
      name,
      shape,
      dtype,
      own,
      regularizer,
      trainable,
      constraint,
      plain ? () => initializer : undefined,
    );
  };
}
