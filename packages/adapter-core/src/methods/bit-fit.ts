import { type Layer, weightName } from '../copy-layer.ts';
import { trainInPlace, trainLayer } from './in-place.ts';
import type { Method } from './method.ts';
import { MethodOptionError } from './options.ts';

/** Options of {@link bitFit}. */
export interface BitFitOptions {
  /**
   * Which weights are biases, by their names within a layer. By default those that end in `bias` or `beta`, and
   * relative position tables (`relative_position_bias_table`), as in the paper's comparison.
   */
  weights?: RegExp;
  /** Indices of the base's outputs that make the pyramid; all by default. */
  levels?: number[];
}

/**
 * The method `bitFit`: trains every bias of the base and nothing else.
 *
 * Source: Ben Zaken et al., arXiv 2106.10199; with the relative position tables it has the count of the row "BitFit"
 * of arXiv 2306.09729, 201,656 on Swin-B.
 *
 * @throws {@link MethodOptionError} if `weights` is no regular expression; {@link TapError} from `split` if the model has no such weights.
 *
 * @example
 * ```ts
 * import { bitFit } from '@e3va/adapter-core';
 *
 * // without the tables
 * console.log(bitFit({ weights: /(bias|beta)$/ }).config); // { weights: '/(bias|beta)$/' }
 * ```
 */
export function bitFit({ weights = /(bias|beta|bias_table)$/, levels }: BitFitOptions = {}): Method {
  if (!(weights instanceof RegExp)) {
    throw new MethodOptionError({
      what: "bitFit: 'weights' must be a regular expression",
      received: String(weights),
      fix: 'for instance bitFit({ weights: /bias$/ })',
    });
  }
  const trained = (layer: Layer) =>
    // test() on a copy: a pattern with the flag g or y would remember its last position
    layer.weights.map((w) => weightName(layer, w)).filter((name) => new RegExp(weights).test(name));
  return {
    name: 'bitFit',
    config: { weights: String(weights), ...(levels && { levels }) },
    split: (base) => trainInPlace('bitFit', base, trained, levels),
    wrap: (layer) => trainLayer('bitFit', layer, trained),
  };
}
