import * as tf from '@tensorflow/tfjs-core';
import { LayersModel, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { FrozenHalf } from '../frozen-half.ts';

/** Configuration of a {@link FrozenLayer}. */
export interface FrozenLayerConfig {
  name?: string;
  /** The frozen half that the layer runs. */
  half: FrozenHalf;
}

/**
 * A frozen half as one layer: its model runs off the tape, its weights are listed as non-trainable and are saved and
 * loaded with the model that the layer stands in.
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

  override computeOutputShape(inputShape: Shape | Shape[]): Shape[] {
    const batch = ([inputShape].flat(2) as Shape)[0] ?? null;
    return this.half.model.outputs.map(({ shape }) => [batch, ...shape.slice(1)]);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return this.half.run(inputs);
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

tf.serialization.registerClass(FrozenLayer, '@e3va', FrozenLayer.className);
