import { type Layer, weightName } from '../copy-layer.ts';
import { isNorm } from '../graph.ts';
import { trainInPlace, trainLayer } from './in-place.ts';
import type { Method } from './method.ts';
import { normWeights } from './out-norms.ts';

/** Options of {@link norm}. */
export interface NormOptions {
  /** Indices of the base's outputs that make the pyramid; all by default. */
  levels?: number[];
}

/**
 * The method `norm` (LN-Tune, "LN" in tables): trains scale and offset of every normalisation, out-norms included.
 * Moving statistics stay as they are.
 *
 * Source: the row "LN" of arXiv 2306.09729; 59,392 parameters on Swin-B.
 *
 * @throws {@link TapError} from `split` if the model has no normalisation.
 *
 * @example
 * ```ts
 * import { norm } from '@e3va/adapter-core';
 *
 * console.log(norm().name); // 'norm'
 * ```
 */
export function norm({ levels }: NormOptions = {}): Method {
  return {
    name: 'norm',
    config: { ...(levels && { levels }) },
    split: (base) => trainInPlace('norm', base, scaleAndOffset, levels),
    wrap: (layer) => trainLayer('norm', layer, scaleAndOffset),
  };
}

/** Scale and offset of a normalisation; nothing of any other layer. */
function scaleAndOffset(layer: Layer): string[] {
  if (!isNorm(layer)) return [];
  if (!layer.built) return normWeights;
  return layer.weights.map((w) => weightName(layer, w)).filter((name) => normWeights.includes(name));
}
