import { ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { buildLayer, type Layer, layerFromJson, layerToJson, wrapperConfig } from '../copy-layer.ts';
import type { HighwayStageConfig } from './highway-stage.ts';
import { OffTapeLayer } from './off-tape-layer.ts';
import { StreamAdapter, sameShape } from './stream-adapter.ts';

/** Configuration of a {@link HighwayLayer}. */
export interface HighwayLayerConfig {
  name?: string;
  trainable?: boolean;
  /** The frozen layer inside; it is copied, with its weights if it has some. */
  layer: Layer;
  /** The adapter. */
  stage: HighwayStageConfig;
}

/**
 * One layer with the gradient highway beside it: two streams in, two out. The frozen stream runs off the gradient tape;
 * the highway's stream carries the gradient.
 *
 * Inputs x (frozen) and z (highway), of one shape; outputs `y = layer(x)` and `z' = y + T(z − x) + Δ(u)`: the change made so
 * far is handed on, and an adapter adds its own. Where y has the shape of x, T is the identity and u = y − x, what the
 * layer adds to its input; else T pools and projects the change to y's shape, and u = y. At the start z is x; a fresh
 * layer then gives z' = y. In a model the two streams are made by two layers, an {@link OffTapeLayer} and a
 * {@link StreamAdapter}, as tfjs runs a layer once for each of its outputs.
 *
 * With one input x the result is z' alone, for a `tf.sequential` model. In either form no gradient reaches x.
 *
 * Source: arXiv 2306.09729; the two-stream form around any one layer, and T, are ours.
 */
export class HighwayLayer extends layers.Layer {
  static className = 'E3vaHighwayLayer';
  private readonly config: HighwayLayerConfig;
  private readonly frozen: OffTapeLayer;
  private readonly adapter: StreamAdapter;

  constructor(config: HighwayLayerConfig) {
    const { name = config.layer.name, trainable = true, layer, stage } = config;
    super(wrapperConfig(layer, { name, trainable }));
    this.config = config;
    this.frozen = new OffTapeLayer({ name, layer });
    this.adapter = new StreamAdapter({ name: `${name}.adapter`, trainable, stage });
  }

  override build(inputShape: Shape | Shape[]): void {
    const x = oneShape(this.name, inputShape);
    buildLayer(this.frozen, x);
    buildLayer(this.adapter, [x, this.computeOutputShape(x)]);
    super.build(inputShape);
  }

  /** The adapter's weights. */
  override get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.adapter.trainableWeights : [];
  }

  /** The weights of the layer inside. */
  override get nonTrainableWeights(): LayerVariable[] {
    return [...(this.trainable ? [] : this.adapter.weights), ...this.frozen.weights];
  }

  /** The orthogonal loss of the adapter inside, if it has one. */
  override calculateLosses(): tf.Scalar[] {
    return this.adapter.calculateLosses();
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return oneShape(this.name, this.frozen.computeOutputShape(oneShape(this.name, inputShape)));
  }

  /**
   * One stream or two.
   *
   * @throws ShapeError unless two streams have one shape.
   */
  override apply(
    inputs: tf.Tensor | tf.Tensor[] | SymbolicTensor | SymbolicTensor[],
    kwargs?: object,
  ): tf.Tensor | tf.Tensor[] | SymbolicTensor | SymbolicTensor[] {
    if (!Array.isArray(inputs) || inputs.length === 1) return super.apply(inputs, kwargs as never);
    checkStreams(this.name, inputs);
    const [x, z] = inputs as [SymbolicTensor, SymbolicTensor];
    const y = this.frozen.apply(x, kwargs as never) as SymbolicTensor;
    return [y, this.adapter.apply([x, z, y], kwargs as never) as SymbolicTensor];
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: object): tf.Tensor {
    const [x] = [inputs].flat() as [tf.Tensor];
    return tf.tidy(() => this.adapter.call([x, this.frozen.call(x, kwargs) as tf.Tensor]));
  }

  override getConfig() {
    const { layer, stage } = this.config;
    return { ...super.getConfig(), layer: layerToJson(layer), stage: { ...stage } };
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

function oneShape(name: string, shape: Shape | Shape[]): Shape {
  if (!Array.isArray(shape[0])) return shape as Shape;
  if (shape.length === 1) return shape[0];
  throw new ShapeError({
    what: `layer '${name}' has ${shape.length} inputs or outputs`,
    expected: 'a layer with one input and one output beside the highway',
  });
}

function checkStreams(name: string, streams: readonly { shape: Shape }[]): void {
  if (streams.length === 2 && sameShape(streams[0]!.shape, streams[1]!.shape)) return;
  throw new ShapeError({
    what: `layer '${name}' cannot take these streams`,
    expected: 'the frozen stream and the highway of one shape, or the frozen stream alone',
    received: streams.map(({ shape }) => `[${shape.map((n) => n ?? 'any').join(', ')}]`).join(', '),
    fix: 'at the start, pass the same tensor twice: apply([x, x])',
  });
}

tf.serialization.registerClass(HighwayLayer, '@e3va', HighwayLayer.className);
