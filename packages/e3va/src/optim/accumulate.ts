import * as tf from '@tensorflow/tfjs-core';

/** The sum of two sets of gradients by variable name, where one may lack a name. Both are disposed of. */
export function addGradients(a: tf.NamedTensorMap, b: tf.NamedTensorMap): tf.NamedTensorMap {
  const sum: tf.NamedTensorMap = { ...a };
  for (const [name, tensor] of Object.entries(b)) {
    const other = sum[name];
    sum[name] = other ? tf.add(other, tensor) : tensor;
    if (other) tf.dispose([other, tensor]);
  }
  return sum;
}

/** Gradients times a number. They are disposed of. */
export function scaleGradients(gradients: tf.NamedTensorMap, factor: number): tf.NamedTensorMap {
  if (factor === 1) return gradients;
  const scaled = Object.entries(gradients).map(([name, tensor]) => [name, tf.mul(tensor, factor)]);
  tf.dispose(gradients);
  return Object.fromEntries(scaled);
}
