import * as tf from '@tensorflow/tfjs-core';

/**
 * The mean of the gradients of several micro-batches, by variable name. The inputs are disposed of; a single one is handed
 * through.
 */
export function meanGradients(parts: tf.NamedTensorMap[]): tf.NamedTensorMap {
  if (parts.length === 1) return parts[0]!;
  const mean: tf.NamedTensorMap = {};
  for (const name of new Set(parts.flatMap((part) => Object.keys(part)))) {
    const all = parts.flatMap((part) => part[name] ?? []);
    mean[name] = tf.tidy(() => tf.mul(tf.addN(all), 1 / parts.length));
    tf.dispose(all);
  }
  return mean;
}
