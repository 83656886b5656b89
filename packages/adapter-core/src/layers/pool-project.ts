import { adaptiveAveragePool, ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';

/** Configuration of a {@link PoolProject}. */
export interface PoolProjectConfig {
  name?: string;
  trainable?: boolean;
  /** Rank of the projection from the old number of channels to the new one. */
  rank: number;
  /** Seed of the initial weights. */
  seed: number;
}

/**
 * The transition `pool-project` between two stages of the highway: the change made so far, [batch, h, w, C], is
 * average-pooled to the size of a reference map, [batch, h', w', C'], and projected to its channels by a low-rank
 * kernel without bias. What is no map, [..., C], is projected alone. Inputs: the change, the reference. A zero change stays zero.
 *
 * This form is ours, not the paper's: it needs nothing of the base model.
 */
export class PoolProject extends layers.Layer {
  static className = 'E3vaPoolProject';
  private readonly config: PoolProjectConfig;
  private q!: LayerVariable;
  private p!: LayerVariable;

  constructor(config: PoolProjectConfig) {
    super(config as unknown as ConstructorParameters<typeof layers.Layer>[0]);
    this.config = config;
  }

  override build(inputShape: Shape | Shape[]): void {
    const [from, to] = (inputShape as Shape[]).map((shape) => shape.at(-1) as number) as [number, number];
    const { rank, seed } = this.config;
    const scaled = (fanIn: number, salt: number) =>
      initializers.randomNormal({ stddev: 1 / Math.sqrt(fanIn), seed: seed + salt });
    this.q = this.addWeight('q', [from, rank], 'float32', scaled(from, 0));
    this.p = this.addWeight('p', [rank, to], 'float32', scaled(rank, 1));
    super.build(inputShape);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return (inputShape as Shape[])[1]!;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [change, reference] = inputs as [tf.Tensor, tf.Tensor];
    return tf.tidy(() => {
      const pooled = pooledTo(change, reference);
      const rows = tf.reshape(pooled, [-1, change.shape.at(-1)!]) as tf.Tensor2D;
      const projected = tf.matMul(
        tf.matMul(rows, this.q.read() as tf.Tensor2D),
        this.p.read() as tf.Tensor2D,
      );
      return tf.reshape(projected, reference.shape);
    });
  }

  override getConfig() {
    return { ...super.getConfig(), ...this.config, name: this.name };
  }
}

/** A map is pooled to the size of the reference; anything else must have the reference's leading axes. */
function pooledTo(change: tf.Tensor, reference: tf.Tensor): tf.Tensor {
  if (change.rank === 4 && reference.rank === 4) {
    return adaptiveAveragePool(change as tf.Tensor4D, reference.shape.slice(1, 3) as [number, number]);
  }
  if (change.shape.slice(0, -1).join() === reference.shape.slice(0, -1).join()) return change;
  throw new ShapeError({
    what: 'the change on the highway cannot be handed on',
    expected: 'two maps [batch, height, width, channels], or tensors that differ in the last axis only',
    received: [change, reference].map((t) => `[${t.shape.join(', ')}]`).join(' to '),
  });
}

tf.serialization.registerClass(PoolProject, '@e3va', PoolProject.className);
