import * as tf from '@tensorflow/tfjs-core';
import { E3vaError } from './errors.ts';
import { assertSingleTfjs } from './single-tfjs.ts';

const kernelName = 'E3vaOffTape';

/** A function of tensors that may return one tensor or several. */
export type TensorFunction<R extends tf.Tensor | tf.Tensor[]> = (...inputs: tf.Tensor[]) => R;

/**
 * Runs `fn` with nothing recorded on the gradient tape, and returns its result as constants.
 *
 * Inside `tf.variableGrads`, `tf.grads`, `optimizer.minimize` or `LayersModel.fit`, the operations of `fn` are not
 * recorded, nothing that they compute is kept for a backward pass, and the gradient stops at the result: silently
 * (no operation without a gradient can throw later) and exactly (variables that are read inside receive nothing
 * through it). Tensors made inside `fn` and not returned are freed. Works on every backend, and nests.
 *
 * `fn` must be synchronous, and no gradient can be taken within it. A result that is one of the inputs, or any tensor that `fn` did not make, comes back as
 * a copy, so that the caller owns every tensor of the result.
 *
 * How: a kernel without a gradient may call other operations, and the engine records nothing within a kernel. The
 * kernel is registered for the active backend at the first call.
 *
 * @param inputs One tensor or several, handed to `fn` in order.
 * @param fn Computes one tensor, or a list of tensors, from the inputs.
 * @returns What `fn` returned, off the tape.
 * @throws {@link DuplicateTfjsError} if an input comes from another copy of tfjs-core.
 * @throws {@link E3vaError} if `fn` returns something else than tensors.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { offTape } from '@e3va/highway-grad';
 *
 * await tf.setBackend('cpu');
 * const w = tf.variable(tf.scalar(3));
 * // d/dw of w * stop(w) is stop(w), not 2w
 * const { grads } = tf.variableGrads(() => tf.mul(w, offTape(w, (v) => tf.mul(v, 1))) as tf.Scalar);
 * console.log(grads[w.name]?.dataSync()[0]); // 3
 * ```
 */
export function offTape<R extends tf.Tensor | tf.Tensor[]>(
  inputs: tf.Tensor | tf.Tensor[],
  fn: TensorFunction<R>,
): R {
  const list = Array.isArray(inputs) ? inputs : [inputs];
  for (const input of list) assertSingleTfjs(input);
  tf.backend(); // sets a backend, if none is set
  registerOnce(tf.getBackend());
  let single = false;
  const run = () => {
    const firstOwn = nextTensorId();
    return tf.tidy(() => {
      const out: tf.Tensor | tf.Tensor[] = fn(...list);
      single = !Array.isArray(out);
      // a tensor older than this call, or handed out twice, is copied: the caller owns what it receives
      const seen = new Set<number>();
      return [out].flat().map((t) => {
        if (!(t instanceof tf.Tensor)) throw notATensor(t);
        const own = t.id >= firstOwn && !t.kept && !seen.has(t.id);
        seen.add(t.id);
        return own ? t : tf.clone(t);
      });
    });
  };
  // The inputs are captured, not passed: a node without inputs is on no path that a gradient could take.
  const out = tf
    .engine()
    .runKernel(kernelName, {}, { run } as unknown as tf.NamedAttrMap) as unknown as tf.Tensor[];
  return (single ? out[0] : out) as R;
}

function notATensor(value: unknown): E3vaError {
  return new E3vaError({
    what: 'offTape: the function returned something else than tensors',
    expected: 'a tensor or a list of tensors',
    received: value instanceof Promise ? 'a promise' : String(value),
    fix: 'return the tensors; an asynchronous function has to be awaited before the call',
  });
}

function registerOnce(backendName: string): void {
  if (tf.getKernel(kernelName, backendName)) return;
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ attrs }) => (attrs as unknown as { run: () => tf.Tensor[] }).run(),
  });
}

/** The id that the engine gives to the next tensor: every tensor made from here on has it or a larger one. */
function nextTensorId(): number {
  return (tf.engine() as unknown as { nextTensorId(): number }).nextTensorId();
}
