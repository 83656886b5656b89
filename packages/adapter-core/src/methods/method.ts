import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';

/** What a method makes of a base model: where the frozen half ends, and the trainable model that continues it. */
export interface Split {
  /** The results of the frozen half: the taps, and whatever else of the base the highway starts from. */
  frozenOutputs: SymbolicTensor[];
  /** Takes the frozen half's results in the same order; its outputs are the pyramid. */
  highway: LayersModel;
  /** Indices of the base's outputs that the highway makes, in its order. */
  levels: number[];
  /** Names of the tapped layers by the highway layer that reads them. */
  taps: Map<string, string[]>;
}

/** A parameter-efficient fine-tuning method with its options, to be given to `adapt`. */
export interface Method {
  /** Name of the method, as in papers. */
  readonly name: string;
  /** Every option, defaults filled in; plain JSON. */
  readonly config: Record<string, unknown>;
  /** Splits a base model; the base is not changed. */
  split(base: LayersModel): Split;
}
