import * as tf from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import {
  buildCopy,
  copyLayer,
  type Layer,
  layerFromJson,
  layerToJson,
  weightName,
  wrapperConfig,
} from '../copy-layer.ts';
import type { MergeableLayer } from '../methods/method.ts';
import { frozenFunction, type LayerFunction } from './frozen-op.ts';

/** Configuration of a {@link BaseLayer}. */
export interface BaseLayerConfig {
  name?: string;
  /** The layer inside; it is copied, with its weights if it has some. */
  layer: Layer;
  /** Names of the weights that are trained, such as `gamma`; none by default. */
  trained?: readonly string[];
}

/**
 * A layer of a base model inside an adapted one: it has the same weights (one memory for both until training changes
 * them), always works in inference mode (batch normalisation by its moving statistics, no dropout), and trains the named
 * weights only.
 */
export class BaseLayer extends layers.Layer implements MergeableLayer {
  static className = 'E3vaBaseLayer';
  /** The copy inside. */
  readonly layer: Layer;
  /** Nothing to fold in: the weights are the base layer's own, trained or not. */
  merged = false;
  private readonly trained: readonly string[];
  private readonly source: Layer;
  /** The weights in the order of the base's layer; which of them are trained changes the order of the copy's. */
  private inOrder: LayerVariable[] = [];
  /** What the layer computes, where that is known to need nothing of the tape's memory. */
  private light: LayerFunction | undefined;

  constructor({ name, layer, trained = [] }: BaseLayerConfig) {
    super(wrapperConfig(layer, { name: name ?? layer.name, trainable: trained.length > 0 }));
    this.layer = copyLayer(layer, this.name);
    this.source = layer;
    this.trained = trained;
    this.supportsMasking = layer.supportsMasking;
  }

  override build(inputShape: Shape | Shape[]): void {
    buildCopy(this.layer, this.source, inputShape);
    this.inOrder = [...this.layer.weights];
    // a base that was saved with frozen layers has variables that no optimiser would touch
    for (const w of this.layer.weights) w.trainable = this.trained.includes(weightName(this, w));
    this.light = frozenFunction(this.layer, this.trained);
    super.build(inputShape);
  }

  /** The weights that are trained. */
  override get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.layer.weights.filter((w) => this.trained.includes(weightName(this, w))) : [];
  }

  /** All others. */
  override get nonTrainableWeights(): LayerVariable[] {
    const trained = new Set(this.trainableWeights);
    return this.layer.weights.filter((w) => !trained.has(w));
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: object): tf.Tensor | tf.Tensor[] {
    const { light } = this;
    return tf.tidy(() =>
      light ? light([inputs].flat()) : this.layer.call(inputs, { ...kwargs, training: false }),
    );
  }

  override computeMask(inputs: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]) {
    return this.layer.computeMask(inputs, mask);
  }

  mergedWeights(): tf.Tensor[] {
    return this.inOrder.map((w) => tf.clone(w.read()));
  }

  override getConfig() {
    return { ...super.getConfig(), layer: layerToJson(this.layer), trained: [...this.trained] };
  }

  /** Makes the layer, and the one inside, from its configuration. */
  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const layer = layerFromJson(config.layer as tf.serialization.ConfigDict);
    return new cls({ ...config, layer } as never);
  }
}

tf.serialization.registerClass(BaseLayer, '@e3va', BaseLayer.className);
