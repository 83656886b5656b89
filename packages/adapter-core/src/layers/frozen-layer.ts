import * as tf from '@tensorflow/tfjs-core';
import {
  LayersModel,
  type LayerVariable,
  layers,
  type Shape,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import { FrozenHalf } from '../frozen-half.ts';

/** Configuration of a {@link FrozenLayer}. */
export interface FrozenLayerConfig {
  name?: string;
  /** The frozen half that the layer runs. */
  half: FrozenHalf;
}

/** The taps of each run, by the token that stands for it. */
const taps = new WeakMap<tf.Tensor, tf.Tensor[]>();

/**
 * A frozen half as one layer: its model runs off the tape, its weights are listed as non-trainable and are saved and
 * loaded with the model that the layer stands in.
 *
 * The result is a token, a tensor [1], from which one {@link TapLayer} each takes the taps: tfjs runs a layer with several
 * outputs once for each of them.
 */
export class FrozenLayer extends layers.Layer {
  static className = 'E3vaFrozenLayer';
  private readonly half: FrozenHalf;

  constructor(config: FrozenLayerConfig) {
    super({ name: config.name, trainable: false });
    this.half = config.half;
    this.built = true;
  }

  /** None: the frozen half is never trained. */
  override get trainableWeights(): LayerVariable[] {
    return [];
  }

  /** The weights of the frozen half's model. */
  override get nonTrainableWeights(): LayerVariable[] {
    return this.half.model.weights;
  }

  override computeOutputShape(): Shape {
    return [1];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const values = this.half.run(inputs);
    const token = tf.zeros([1]);
    taps.set(token, values);
    return token;
  }

  override getConfig() {
    return { name: this.name, model: this.half.model.getConfig() };
  }

  /** Makes the layer, and the model inside it, from its configuration. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const model = LayersModel.fromConfig(
      LayersModel as unknown as tf.serialization.SerializableConstructor<LayersModel>,
      config.model as tf.serialization.ConfigDict,
    );
    return new cls({ name: config.name, half: new FrozenHalf(model.inputs, model.outputs) } as never);
  }
}

/** Configuration of a {@link TapLayer}. */
export interface TapLayerConfig {
  name?: string;
  /** Which of the frozen half's results. */
  index: number;
  /** Its shape with the batch axis; null for sizes that are open. */
  tapShape: Shape;
  /** Its type. */
  tapType: tf.DataType;
}

/** One result of a {@link FrozenLayer}, by its token. */
export class TapLayer extends layers.Layer {
  static className = 'E3vaTapLayer';
  private readonly config: TapLayerConfig;

  constructor(config: TapLayerConfig) {
    super({ name: config.name, trainable: false });
    this.config = config;
  }

  override computeOutputShape(): Shape {
    return this.config.tapShape;
  }

  /** As the base class; a symbolic result has the tap's own type, to which tfjs would otherwise cast the values. */
  override apply(
    inputs: tf.Tensor | tf.Tensor[] | SymbolicTensor | SymbolicTensor[],
    kwargs?: object,
  ): tf.Tensor | tf.Tensor[] | SymbolicTensor | SymbolicTensor[] {
    const out = super.apply(inputs, kwargs as never);
    if (!(out instanceof tf.Tensor)) Object.assign(out, { dtype: this.config.tapType });
    return out;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return taps.get([inputs].flat()[0]!)![this.config.index]!;
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

tf.serialization.registerClass(FrozenLayer, '@e3va', FrozenLayer.className);
tf.serialization.registerClass(TapLayer, '@e3va', TapLayer.className);
