import * as tf from '@tensorflow/tfjs-core';
import type { LayerVariable } from '@tensorflow/tfjs-layers';
import { AdapterFileError } from './adapter-file.ts';
import type { TensorData } from './safetensors.ts';

/** Values of weights by the weights' names, read from the backend as they are now. */
export async function tensorsOf(
  weights: readonly LayerVariable[],
  values: readonly tf.Tensor[],
): Promise<Record<string, TensorData>> {
  // held, so that an adapter that is swapped or deleted meanwhile can still be read
  const held = values.map((t) => tf.keep(tf.clone(t)));
  try {
    const read = held.map(async (t, i) => {
      // a copy: the cpu backend hands out its own memory
      const data = ((await t.data()) as Float32Array).slice();
      return [weights[i]!.originalName, { shape: t.shape, data }] as const;
    });
    return Object.fromEntries(await Promise.all(read));
  } finally {
    tf.dispose(held);
  }
}

/** @throws {@link AdapterFileError} unless the tensors are exactly those of the weights, by name and shape. */
export function checkFits(weights: readonly LayerVariable[], tensors: Record<string, TensorData>): void {
  const names = new Set(weights.map((w) => w.originalName));
  const missing = weights
    .filter((w) => !sameShape(tensors[w.originalName]?.shape, w.shape))
    .map((w) => w.originalName);
  const unknown = Object.keys(tensors).filter((name) => !names.has(name));
  if (missing.length === 0 && unknown.length === 0) return;
  throw new AdapterFileError({
    what: 'the adapter does not fit the adapted model',
    expected: missing.length > 0 ? `tensors of the right shape for ${some(missing)}` : 'no further tensors',
    received:
      unknown.length > 0
        ? `unknown tensors ${some(unknown)}`
        : 'tensors that are missing or of another shape',
    fix: 'adapt the base with the method and the options that the adapter was trained with (they stand in its metadata)',
  });
}

const some = (list: string[]) =>
  list.slice(0, 5).join(', ') + (list.length > 5 ? `, … (${list.length})` : '');

const sameShape = (a: number[] | undefined, b: readonly (number | null)[]) =>
  a !== undefined && a.join() === b.join();
