import { offTape } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { buildLayer } from '../copy-layer.ts';
import { HighwayStage, type HighwayStageConfig } from './highway-stage.ts';
import { PoolProject } from './pool-project.ts';

/** Configuration of a {@link StreamAdapter}. */
export interface StreamAdapterConfig {
  name?: string;
  trainable?: boolean;
  /** The adapter. */
  stage: HighwayStageConfig;
}

/**
 * The highway's step beside one frozen layer `y = f(x)`: inputs x, z and y (or x and y, at the start, where z is x); output
 * `z' = y + T(z − x) + Δ(u)`. Where y has the shape of x, T is the identity and u = y − x; else T pools and projects to y's
 * shape and u = y. The gradient reaches z alone.
 */
export class StreamAdapter extends layers.Layer {
  static className = 'E3vaStreamAdapter';
  private readonly stage: HighwayStage;
  private readonly config: HighwayStageConfig;
  private transition: PoolProject | undefined;

  constructor({ name, trainable = true, stage }: StreamAdapterConfig) {
    super({ name, trainable });
    this.config = stage;
    this.stage = new HighwayStage({ ...stage, name: `${this.name}.stage`, stream: true, skip: false });
  }

  override build(inputShape: Shape | Shape[]): void {
    const shapes = inputShape as Shape[];
    const [x, y] = [shapes[0]!, shapes.at(-1)!];
    buildLayer(this.stage, [y, y]);
    if (shapes.length === 3 && !sameShape(x, y)) {
      const { rank, seed } = this.config;
      this.transition = new PoolProject({ name: `${this.name}.transition`, rank, seed: seed + 50_021 });
      buildLayer(this.transition, [x, y]);
    }
    super.build(inputShape);
  }

  /** The weights of the adapter and the transition. */
  override get trainableWeights(): LayerVariable[] {
    return this.trainable ? this.parts().flatMap((part) => part.trainableWeights) : [];
  }

  /** None, unless the layer is frozen. */
  override get nonTrainableWeights(): LayerVariable[] {
    return this.trainable ? [] : this.parts().flatMap((part) => part.weights);
  }

  /** The orthogonal loss of the adapter inside, if it has one. */
  override calculateLosses(): tf.Scalar[] {
    return this.stage.calculateLosses();
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[]).at(-1)!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const list = inputs as tf.Tensor[];
    const [x, y] = [list[0]!, list.at(-1)!];
    return tf.tidy(() => {
      const u = sameShape(x.shape, y.shape) ? offTape([x, y], (before, after) => tf.sub(after, before)) : y;
      const change = list.length === 3 ? this.handedOn(tf.sub(list[1]!, x), y) : tf.zerosLike(y);
      return tf.add(y, this.stage.call([change, u]));
    });
  }

  private handedOn(change: tf.Tensor, y: tf.Tensor): tf.Tensor {
    return this.transition ? this.transition.call([change, y]) : change;
  }

  private parts(): layers.Layer[] {
    return this.transition ? [this.stage, this.transition] : [this.stage];
  }

  override getConfig() {
    return { ...super.getConfig(), stage: { ...this.config } };
  }
}

export const sameShape = (a: Shape, b: Shape) => a.length === b.length && a.every((size, i) => size === b[i]);

tf.serialization.registerClass(StreamAdapter, '@e3va', StreamAdapter.className);
