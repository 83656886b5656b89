import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { AdapterSet } from './adapter-set.ts';
import type { FrozenHalf } from './frozen-half.ts';
import { sharedTaps } from './shared-taps.ts';
import type { Variant } from './variant.ts';

/** How one adapter is trained in a step: each has an optimizer of its own. */
export interface AdapterJob {
  /** Used for this adapter alone: it keeps moments of its weights. */
  optimizer: tf.Optimizer;
  /** The loss, a scalar, from the levels of the pyramid. */
  loss(levels: tf.Tensor[]): tf.Scalar;
  /** Further variables that the loss depends on and that are trained as well, such as a head's. */
  variables?: tf.Variable[];
}

/** One step of several adapters on one batch, with one run of the frozen half. */
export async function trainStep(
  base: LayersModel,
  adapters: AdapterSet,
  halves: Map<string, FrozenHalf>,
  images: tf.Tensor | tf.Tensor[],
  jobs: Record<string, AdapterJob>,
): Promise<Record<string, number>> {
  const entries = Object.entries(jobs);
  const variants = [...new Set(entries.map(([name]) => adapters.variantOf(name)))];
  const taps = sharedTaps(base, variants, halves, images);
  try {
    const losses = entries.map(([name, job]) => ({
      name,
      loss: adapters.with(name, (variant) => minimize(variant, taps.get(variant)!, job)),
    }));
    const values = await Promise.all(losses.map(async ({ loss }) => (await loss.data())[0]!));
    tf.dispose(losses.map(({ loss }) => loss));
    return Object.fromEntries(losses.map(({ name }, i) => [name, values[i]!]));
  } finally {
    tf.dispose([...taps.values()]);
    adapters.settle();
  }
}

function minimize(
  variant: Variant,
  taps: tf.Tensor[],
  { optimizer, loss, variables = [] }: AdapterJob,
): tf.Scalar {
  const own = variant.weights.map((w) => w.read() as tf.Variable);
  const total = () => {
    const value = loss(variant.pyramid(taps, true));
    const regularisers = variant.split.highway.calculateLosses();
    return regularisers.length > 0 ? (tf.addN([value, ...regularisers]) as tf.Scalar) : value;
  };
  return optimizer.minimize(total, true, [...own, ...variables])!;
}
