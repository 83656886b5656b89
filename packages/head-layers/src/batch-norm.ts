import { batchNormTraining, offTape } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, type LayerVariable, layers, type Shape } from '@tensorflow/tfjs-layers';
import { listOf, shapesOf } from './lists.ts';
import { relu } from './relu.ts';

/**
 * Batch normalisation by given statistics, as one scale and one shift a channel; differentiable in all but those.
 *
 * @param x Shape [..., C]; the other arguments are of shape [C].
 */
function normaliseBy<T extends tf.Tensor>(
  x: T,
  { mean, variance }: { mean: tf.Tensor; variance: tf.Tensor },
  gamma: tf.Tensor,
  beta: tf.Tensor,
  epsilon: number,
): T {
  return tf.tidy(() => {
    const scale = tf.mul(
      gamma,
      offTape(variance, (v) => tf.rsqrt(tf.add(v!, epsilon))),
    );
    return tf.add(tf.mul(x, scale), tf.sub(beta, tf.mul(mean, scale)));
  });
}

/** Options of {@link BatchNorm}. */
export interface BatchNormArgs {
  /** Added to the variance; 1e-5 by default. */
  epsilon?: number;
  /** Share of the batch's statistics in an update of the running ones (PyTorch's sense); 0.1 by default. */
  momentum?: number;
  /** What follows the normalisation: nothing (the default) or ReLU. */
  activation?: 'linear' | 'relu';
  name?: string;
}

/**
 * Batch normalisation over all axes but the last, with PyTorch's semantics, optionally followed by ReLU.
 *
 * With `training: true` it normalises by the statistics of the batch and moves `runningMean` and `runningVariance` by
 * `momentum` towards them, off the tape and at once (not with the optimizer's step); the variance that is kept is the
 * unbiased one. Otherwise it normalises by the running statistics. `trainable = false` freezes `gamma` and `beta` and
 * nothing else. A batch with one value a channel (batch 1 pooled to 1×1) has no variance: PyTorch throws there, this
 * layer uses the running statistics and leaves them as they are.
 *
 * Source: Ioffe and Szegedy, arXiv 1502.03167; `torch.nn.BatchNorm2d`.
 */
export class BatchNorm extends layers.Layer {
  /** The name of the class in saved models. */
  static className = 'E3vaBatchNorm';
  private readonly args: Required<Omit<BatchNormArgs, 'name'>>;
  private gamma!: LayerVariable;
  private beta!: LayerVariable;
  private runningMean!: LayerVariable;
  private runningVariance!: LayerVariable;

  constructor({ epsilon = 1e-5, momentum = 0.1, activation = 'linear', ...rest }: BatchNormArgs = {}) {
    super(rest);
    this.args = { epsilon, momentum, activation };
  }

  override build(inputShape: Shape | Shape[]): void {
    const shape = [shapesOf(inputShape)[0]!.at(-1) as number];
    const [zeros, ones] = [initializers.zeros(), initializers.ones()];
    this.gamma = this.addWeight('gamma', shape, 'float32', ones);
    this.beta = this.addWeight('beta', shape, 'float32', zeros);
    this.runningMean = this.addWeight('runningMean', shape, 'float32', zeros, undefined, false);
    this.runningVariance = this.addWeight('runningVariance', shape, 'float32', ones, undefined, false);
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: { training?: boolean }): tf.Tensor {
    return tf.tidy(() => {
      const x = listOf(inputs)[0]!;
      const values = x.size / (x.shape.at(-1) ?? 1); // a channel
      const y = kwargs.training && values > 1 ? this.byBatch(x, values) : this.byRunning(x);
      return this.args.activation === 'relu' ? relu(y) : y;
    });
  }

  private byBatch(x: tf.Tensor, values: number): tf.Tensor {
    const { y, mean, variance } = batchNormTraining(
      x,
      this.gamma.read(),
      this.beta.read(),
      this.args.epsilon,
    );
    this.moveTowards(this.runningMean, mean, 1);
    this.moveTowards(this.runningVariance, variance, values / (values - 1)); // unbiased
    return y;
  }

  private byRunning(x: tf.Tensor): tf.Tensor {
    const running = { mean: this.runningMean.read(), variance: this.runningVariance.read() };
    return normaliseBy(x, running, this.gamma.read(), this.beta.read(), this.args.epsilon);
  }

  /** running ← (1 − momentum) · running + momentum · scale · batch */
  private moveTowards(running: LayerVariable, batch: tf.Tensor, scale: number): void {
    const { momentum } = this.args;
    const moved = offTape([running.read(), batch], (old, batch) =>
      tf.add(tf.mul(old!, 1 - momentum), tf.mul(batch!, momentum * scale)),
    );
    running.write(moved);
  }

  override computeOutputShape(inputShape: Shape | Shape[]): Shape {
    return shapesOf(inputShape)[0]!;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }
}
tf.serialization.registerClass(BatchNorm, '@e3va', BatchNorm.className);
