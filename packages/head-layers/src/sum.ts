import * as tf from '@tensorflow/tfjs-core';

/** The sum of tensors of one shape; unlike `tf.add`, it keeps none of them for its gradient. */
export function sumOf<T extends tf.Tensor>(terms: T[]): T {
  const op = tf.customGrad((...args) => {
    args.pop(); // nothing to save
    return {
      value: tf.tidy(() => (args as tf.Tensor[]).reduce((a, b) => tf.add(a, b))),
      gradFunc: (dy: tf.Tensor) => terms.map(() => tf.clone(dy)) as unknown as tf.Tensor,
    };
  });
  return op(...terms) as T;
}
