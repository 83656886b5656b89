import { offTape, ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { type Layer, layerFromJson, layerToJson, wrapperConfig } from '../copy-layer.ts';
import { BaseLayer } from './base-layer.ts';
import { HighwayStage, type HighwayStageConfig } from './highway-stage.ts';
import { PoolProject } from './pool-project.ts';

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
 * layer then gives z' = y.
 *
 * With one input x the result is z' alone, for a `tf.sequential` model. In either form no gradient reaches x.
 *
 * Source: arXiv 2306.09729; the two-stream form around any one layer, and T, are ours.
 */
export class HighwayLayer extends layers.Layer {
  static className = 'E3vaHighwayLayer';
  private readonly config: HighwayLayerConfig;
  private readonly frozen: BaseLayer;
  private stage: HighwayStage | undefined;
  private transition: PoolProject | undefined;

  constructor(config: HighwayLayerConfig) {
    const { name = config.layer.name, trainable = true } = config;
    super(wrapperConfig(config.layer, { name, trainable }));
    this.config = config;
    this.frozen = new BaseLayer({ name, layer: config.layer });
  }

  override build(inputShape: Shape | Shape[]): void {
    const shapes = (Array.isArray(inputShape[0]) ? inputShape : [inputShape]) as Shape[];
    this.checkInputs(shapes);
    const x = shapes[0]!;
    this.frozen.build(x);
    this.frozen.built = true;
    const y = this.resultShape(x);
    const { stage, layer } = this.config;
    this.stage = new HighwayStage({ ...stage, name: `${layer.name}.adapter`, stream: true, skip: false });
    this.stage.build([y, y]);
    this.stage.built = true;
    if (shapes.length === 2 && !sameShape(x, y)) {
      const { rank, seed } = stage;
      this.transition = new PoolProject({ name: `${layer.name}.transition`, rank, seed: seed + 50_021 });
      this.transition.build([x, y]);
      this.transition.built = true;
    }
    super.build(inputShape);
  }

  override get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.parts().flatMap((part) => part.trainableWeights) : [];
  }

  override get nonTrainableWeights(): LayerVariable[] {
    const own = this.trainable ? [] : this.parts().flatMap((part) => part.weights);
    return [...own, ...this.frozen.weights];
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape | Shape[] {
    const two = Array.isArray(inputShape[0]);
    const y = this.resultShape((two ? inputShape[0] : inputShape) as Shape);
    return two ? [y, y] : y;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: object): tf.Tensor | tf.Tensor[] {
    const [x, z] = [inputs].flat() as [tf.Tensor, tf.Tensor | undefined];
    return tf.tidy(() => {
      const [y, u] = offTape(x, (given) => {
        const result = this.frozen.call(given, kwargs) as tf.Tensor;
        return [result, sameShape(result.shape, given.shape) ? tf.sub(result, given) : result];
      }) as [tf.Tensor, tf.Tensor];
      const change = this.stage!.call([z ? this.handedOn(tf.sub(z, x), y) : tf.zerosLike(y), u]);
      const adapted = tf.add(y, change);
      return z ? [y, adapted] : adapted;
    });
  }

  private handedOn(change: tf.Tensor, y: tf.Tensor): tf.Tensor {
    return this.transition ? this.transition.call([change, y]) : change;
  }

  private parts(): layers.Layer[] {
    return [this.stage, this.transition].filter((part) => part !== undefined);
  }

  private resultShape(x: Shape): Shape {
    const result = this.frozen.computeOutputShape(x);
    if (!Array.isArray(result[0])) return result as Shape;
    throw new ShapeError({
      what: `layer '${this.name}' has ${result.length} outputs`,
      expected: 'a layer with one output beside the highway',
    });
  }

  private checkInputs(shapes: Shape[]): void {
    if (shapes.length === 1 || (shapes.length === 2 && sameShape(shapes[0]!, shapes[1]!))) return;
    throw new ShapeError({
      what: `layer '${this.name}' cannot take these streams`,
      expected: 'the frozen stream and the highway of one shape, or the frozen stream alone',
      received: shapes.map((shape) => `[${shape.map((n) => n ?? 'any').join(', ')}]`).join(', '),
      fix: 'at the start, pass the same tensor twice: apply([x, x])',
    });
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

const sameShape = (a: Shape, b: Shape) => a.length === b.length && a.every((size, i) => size === b[i]);

tf.serialization.registerClass(HighwayLayer, '@e3va', HighwayLayer.className);
