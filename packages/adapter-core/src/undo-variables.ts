import * as tf from '@tensorflow/tfjs-core';

/** Runs `fn`; if it throws, the variables that it has made are disposed. */
export function undoVariablesOnError<T>(fn: () => T): T {
  const before = new Set(Object.keys(tf.engine().registeredVariables));
  try {
    return fn();
  } catch (error) {
    for (const [name, variable] of Object.entries(tf.engine().registeredVariables)) {
      if (!before.has(name)) variable.dispose();
    }
    throw error;
  }
}
