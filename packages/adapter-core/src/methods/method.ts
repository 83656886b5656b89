import type * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from '../copy-layer.ts';

/** A layer that stands for one layer of the base and whose change can be folded into that layer's own weights. */
export interface MergeableLayer {
  /** The weights that make the layer of the base do what this one does, in its order; the caller disposes them. */
  mergedWeights(): tf.Tensor[];
  /** Whether the layer works with {@link MergeableLayer.mergedWeights} already. Setting it folds them in or restores the base's. */
  merged: boolean;
}

/** What a method makes of a base model: where the frozen half ends, and the trainable model that continues it. */
export interface Split {
  /** The results of the frozen half: the taps, and whatever else of the base the highway starts from. */
  frozenOutputs: SymbolicTensor[];
  /** Takes the frozen half's results in the same order; its outputs are the pyramid. */
  highway: LayersModel;
  /** Indices of the base's outputs that the highway makes, in its order. */
  levels: number[];
  /** Names of the layers of the base that each trained layer of the highway reads or stands for, by its name. */
  taps: Map<string, string[]>;
  /** For a method that can be merged: what stands for layers of the base, by their names. */
  replaced?: Map<string, MergeableLayer>;
  /**
   * The names of the trained weights that are zero when the adapter changes nothing, while all others have their first
   * values; none by default.
   */
  zeroWhenOff?: RegExp;
}

/** A parameter-efficient fine-tuning method with its options, to be given to `adapt`. */
export interface Method {
  /** Name of the method, as in papers. */
  readonly name: string;
  /** Every option, defaults filled in; plain JSON. */
  readonly config: Record<string, unknown>;
  /** Splits a base model; the base is not changed. */
  split(base: LayersModel): Split;
  /**
   * One layer with the method on it, for `adaptLayer`.
   *
   * @throws MethodLayerError if the method cannot stand on a layer of this kind.
   */
  wrap(layer: Layer): Layer;
}
