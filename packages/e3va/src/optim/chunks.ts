import * as tf from '@tensorflow/tfjs-core';

/**
 * Joins many small tensors into one vector, so that an optimiser needs ten operations for all of them together instead
 * of ten for each. Tensors of more than `limit` elements stay alone: joining them would copy much for little.
 *
 * A chunk is a vector; the first holds all small tensors in order, each further one a large tensor.
 */
export class Chunks {
  /** Number of elements of each chunk. */
  readonly sizes: number[];
  private readonly small: number[] = [];
  private readonly large: number[] = [];

  constructor(
    private readonly shapes: readonly (readonly number[])[],
    limit = 65536,
  ) {
    shapes.forEach((shape, i) => {
      (sizeOf(shape) > limit ? this.large : this.small).push(i);
    });
    this.sizes = this.members.map((indices) => indices.reduce((sum, i) => sum + sizeOf(shapes[i]!), 0));
  }

  /** For each chunk, the indices of the tensors that it holds. */
  get members(): number[][] {
    const alone = this.large.map((i) => [i]);
    return this.small.length > 0 ? [this.small, ...alone] : alone;
  }

  /** One chunk of `tensors` (all of them, in the order of the shapes) as a vector. */
  pack(chunk: number, tensors: readonly tf.Tensor[]): tf.Tensor1D {
    return tf.tidy(() => {
      const parts = this.members[chunk]!.map((i) => tf.reshape(tensors[i]!, [-1]) as tf.Tensor1D);
      return parts.length === 1 ? parts[0]! : tf.concat1d(parts);
    });
  }

  /** Takes a chunk apart: the tensor of each member, in its shape. */
  unpack(chunk: number, vector: tf.Tensor): { index: number; tensor: tf.Tensor }[] {
    const indices = this.members[chunk]!;
    const shapes = indices.map((i) => this.shapes[i] as number[]);
    const parts = indices.length === 1 ? [vector] : tf.split(vector, shapes.map(sizeOf));
    return indices.map((index, k) => ({ index, tensor: tf.reshape(parts[k]!, shapes[k]!) }));
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
