import * as tf from '@tensorflow/tfjs-core';

/** ReLU with a gradient that keeps the output, which the next layer keeps as well, in place of the input. */
export function relu<T extends tf.Tensor>(x: T): T {
  const op = tf.customGrad((input, save) => {
    const y = tf.relu(input as tf.Tensor);
    (save as tf.GradSaveFunc)([y]);
    const gradFunc = (dy: tf.Tensor, [y]: tf.Tensor[]) => tf.tidy(() => tf.mul(dy, tf.step(y!)));
    return { value: y, gradFunc };
  });
  return op(x) as T;
}
