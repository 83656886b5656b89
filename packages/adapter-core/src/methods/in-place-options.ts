import type { LayerPattern } from '../taps.ts';
import { patternToJson } from './options.ts';

/** Options of every method that adds something to the base's graph in place. */
export interface InPlaceOptions {
  /** Indices of the base's outputs that make the pyramid; all by default. */
  levels?: number[];
  /**
   * Layers of the base whose own weights are trained as well, such as a classifier's last layer (PEFT's `modules_to_save`);
   * moving statistics are not. None by default. The base itself keeps its weights.
   */
  alsoTrain?: LayerPattern;
}

/** The options as JSON, for a method's configuration; those that are not given are left out. */
export const inPlaceToJson = ({ levels, alsoTrain }: InPlaceOptions) => ({
  ...(levels && { levels }),
  ...(alsoTrain !== undefined && { alsoTrain: patternToJson(alsoTrain) }),
});
