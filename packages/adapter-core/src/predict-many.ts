import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { AdapterSet } from './adapter-set.ts';
import type { FrozenHalf } from './frozen-half.ts';
import { sharedTaps } from './shared-taps.ts';

/** What makes a result of an adapter's levels. */
type Head = (levels: tf.Tensor[]) => tf.TensorContainer;

/** The results of several adapters for one batch, with one run of the frozen half. */
export function predictMany(
  base: LayersModel,
  adapters: AdapterSet,
  halves: Map<string, FrozenHalf>,
  images: tf.Tensor | tf.Tensor[],
  wanted: readonly string[] | Record<string, Head>,
): Record<string, tf.TensorContainer> {
  const heads = new Map<string, Head>(
    Array.isArray(wanted)
      ? wanted.map((name: string) => [name, plain])
      : Object.entries(wanted as Record<string, Head>),
  );
  const variants = [...new Set([...heads.keys()].map((name) => adapters.variantOf(name)))];
  try {
    return tf.tidy(() => {
      const taps = sharedTaps(base, variants, halves, images);
      const results = [...heads].map(([name, head]) => {
        const result = adapters.with(name, (variant) =>
          tf.tidy(() => head(variant.pyramid(taps.get(variant)!, false))),
        );
        return [name, result] as const;
      });
      return Object.fromEntries(results);
    });
  } finally {
    adapters.settle();
  }
}

/** As `LayersModel.predict`: one output as a tensor, several as a list. */
const plain: Head = (levels) => (levels.length === 1 ? levels[0]! : levels);
