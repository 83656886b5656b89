import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { FrozenHalf } from './frozen-half.ts';
import type { Variant } from './variant.ts';

/**
 * The taps of several variants by one run of the frozen half.
 *
 * @param halves Frozen halves that were made for unions of taps before, by the taps; extended here.
 * @returns For each variant its own taps, in the order of its highway's inputs; tensors may occur in several. The caller
 * disposes them.
 */
export function sharedTaps(
  base: LayersModel,
  variants: Variant[],
  halves: Map<string, FrozenHalf>,
  images: tf.Tensor | tf.Tensor[],
): Map<Variant, tf.Tensor[]> {
  const unique = new Map<number, SymbolicTensor>();
  for (const { split } of variants) for (const t of split.frozenOutputs) unique.set(t.id, t);
  const outputs = [...unique.values()];
  const values = halfFor(base, variants, outputs, halves).run(images);
  const byId = new Map(outputs.map((t, i) => [t.id, values[i]!]));
  return new Map(variants.map((v) => [v, v.split.frozenOutputs.map((t) => byId.get(t.id)!)]));
}

function halfFor(
  base: LayersModel,
  variants: Variant[],
  outputs: SymbolicTensor[],
  halves: Map<string, FrozenHalf>,
): FrozenHalf {
  const key = (list: SymbolicTensor[]) => list.map((t) => t.id).join();
  const own = variants.find(({ split }) => key(split.frozenOutputs) === key(outputs));
  if (own) return own.frozen;
  const known = halves.get(key(outputs));
  if (known) return known;
  const made = new FrozenHalf(base.inputs, outputs);
  halves.set(key(outputs), made);
  return made;
}
