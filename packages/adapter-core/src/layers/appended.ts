import * as tf from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { buildLayer, type Layer, layerFromJson, layerToJson, wrapperConfig } from '../copy-layer.ts';
import { MethodLayerError } from '../methods/options.ts';
import { BaseLayer } from './base-layer.ts';

/** Configuration of an {@link AppendedLayer}. */
export interface AppendedLayerConfig {
  name?: string;
  trainable?: boolean;
  /** The layer of the base; it is copied, with its weights if it has some, and stays frozen. */
  layer: Layer;
  /** What follows it. */
  extension: Layer;
  /** Whether the extension also gets, as a second input, what the layer read. */
  parallel: boolean;
}

/** A frozen layer of a base model and a trained one behind it, or parallel to it, in one. */
export class AppendedLayer extends layers.Layer {
  static className = 'E3vaAppended';
  /** The layer of the base. */
  readonly base: BaseLayer;
  /** What is trained. */
  readonly extension: Layer;
  private readonly parallel: boolean;

  constructor({ name, trainable = true, layer, extension, parallel }: AppendedLayerConfig) {
    super(wrapperConfig(layer, { name: name ?? layer.name, trainable }));
    this.base = new BaseLayer({ layer });
    this.extension = extension;
    this.parallel = parallel;
  }

  override build(inputShape: Shape | Shape[]): void {
    buildLayer(this.base, inputShape);
    const result = this.base.computeOutputShape(inputShape) as Shape;
    if (this.parallel) this.checkShapes(inputShape, result);
    buildLayer(this.extension, this.parallel ? [result, inputShape as Shape] : result);
    super.build(inputShape);
  }

  private checkShapes(read: Shape | Shape[], result: Shape): void {
    if (read.join() === result.join()) return;
    throw new MethodLayerError({
      what: `nothing can stand parallel to layer '${this.base.name}', whose result has another shape than its input`,
      expected: `[${read}]`,
      received: `[${result}]`,
      fix: 'choose a layer that keeps the shape, or a method that stands behind the layer, such as adapter()',
    });
  }

  override get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.extension.trainableWeights : [];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const rest = this.trainable ? this.extension.nonTrainableWeights : this.extension.weights;
    return [...rest, ...this.base.weights];
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.base.computeOutputShape(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: object): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => {
      const result = this.base.call(inputs, kwargs) as tf.Tensor;
      const [read] = [inputs].flat() as [tf.Tensor];
      return this.extension.call(this.parallel ? [result, read] : result, kwargs);
    });
  }

  override getConfig() {
    return {
      ...super.getConfig(),
      layer: layerToJson(this.base.layer),
      extension: layerToJson(this.extension),
      parallel: this.parallel,
    };
  }

  /** Makes the layer, and those inside, from its configuration. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const layer = layerFromJson(config.layer as tf.serialization.ConfigDict);
    const extension = layerFromJson(config.extension as tf.serialization.ConfigDict);
    return new cls({ ...config, layer, extension } as never);
  }
}

tf.serialization.registerClass(AppendedLayer, '@e3va', AppendedLayer.className);
