import * as tf from '@tensorflow/tfjs-core';
import { Chunks } from './chunks.ts';

/**
 * Exponential moving average of weights: `average ← d · average + (1 - d) · weight` after each step, with
 * `d = min(decay, (1 + t) / (10 + t))`, so that the first steps do not count for ever.
 *
 * The average is kept beside the weights; {@link WeightAverage.swap} exchanges the two, for an evaluation and back.
 */
export class WeightAverage {
  private readonly chunks: Chunks;
  private readonly averages: tf.Variable[];
  private updates = 0;

  /**
   * @param variables The weights to follow, all of them at every step.
   * @param decay Part of the average that stays at each step, for instance 0.999.
   */
  constructor(
    private readonly variables: tf.Variable[],
    private readonly decay: number,
  ) {
    this.chunks = new Chunks(variables.map((v) => v.shape));
    this.averages = this.chunks.sizes.map((_, c) =>
      tf.tidy(() => tf.variable(tf.clone(this.chunks.pack(c, variables)), false)),
    );
  }

  /** Number of updates so far. */
  get count(): number {
    return this.updates;
  }

  /** Takes the present weights into the average. */
  update(): void {
    const d = Math.min(this.decay, (1 + this.updates) / (10 + this.updates));
    this.updates++;
    this.averages.forEach((average, c) => {
      tf.tidy(() => {
        average.assign(tf.add(tf.mul(average, d), tf.mul(this.chunks.pack(c, this.variables), 1 - d)));
      });
    });
  }

  /** Exchanges weights and averages, bit for bit. */
  swap(): void {
    this.averages.forEach((average, c) => {
      tf.tidy(() => {
        const weights = tf.clone(this.chunks.pack(c, this.variables));
        for (const { index, tensor } of this.chunks.unpack(c, tf.clone(average))) {
          this.variables[index]!.assign(tensor);
        }
        average.assign(weights);
      });
    });
  }

  /** The averages in the order and shapes of the variables. The caller disposes of them. */
  values(): tf.Tensor[] {
    const out: tf.Tensor[] = [];
    this.averages.forEach((average, c) => {
      const parts = tf.tidy(() =>
        this.chunks
          .unpack(c, average)
          .map(({ index, tensor }) => ({ index, tensor: tf.keep(tf.clone(tensor)) })),
      );
      for (const { index, tensor } of parts) out[index] = tensor;
    });
    return out;
  }

  /** Restores what {@link WeightAverage.values} and `count` gave; the tensors are copied. */
  restore(values: tf.Tensor[], count: number): void {
    this.averages.forEach((average, c) => {
      tf.tidy(() => average.assign(tf.clone(this.chunks.pack(c, values))));
    });
    this.updates = count;
  }

  /** Frees the averages. */
  dispose(): void {
    tf.dispose(this.averages);
  }
}
