import { LoRandLayer } from '../layers/lo-rand.ts';
import type { LayerPattern } from '../taps.ts';
import { append, appendTo, type MakeExtension, seedOf } from './append.ts';
import { type InPlaceOptions, inPlaceToJson } from './in-place-options.ts';
import type { Method } from './method.ts';
import { checkChoices, checkPositiveIntegers, patternToJson, withDefaults } from './options.ts';

/** Options of {@link loRand}. */
export interface LoRandOptions extends InPlaceOptions {
  /**
   * Which layers are followed by an adapter; `/\.(attn|mlp)$/` by default: Swin's attention and MLP, in front of the
   * residual addition.
   */
  after?: LayerPattern;
  /** How many synthesised kernels are added up; 2 by default. */
  alpha?: number;
  /** Size of the inner kernels; 8 by default. */
  beta?: number;
  /** Whether the down and the up projection share the inner kernels (default, as in the paper) or have their own. */
  shared?: boolean;
  /** `zero` (default): a fresh adapter changes nothing. `kaiming` (the authors' code): no factor starts at zero. */
  init?: 'zero' | 'kaiming';
  /** Seed of the initial weights; 0 by default. */
  seed?: number;
}

/**
 * The method `loRand`: adapters of hidden width C/2 behind chosen layers, whose kernels are sums of low-rank products.
 *
 * Source: Yin et al., CVPR 2023, arXiv 2303.09192; 1,197,312 parameters on Swin-B, 1,203,456 with kernels of its own.
 *
 * @throws {@link MethodOptionError} for options out of range; {@link TapError} from `split` if no layer matches.
 *
 * @example
 * ```ts
 * import { loRand } from '@e3va/adapter-core';
 *
 * console.log(loRand({ shared: false }).config.shared); // false
 * ```
 */
export function loRand(options: LoRandOptions = {}): Method {
  const { after = /\.(attn|mlp)$/, levels, alsoTrain, ...rest } = options;
  const config = withDefaults(defaults, rest);
  checkPositiveIntegers('loRand', { alpha: config.alpha, beta: config.beta });
  checkChoices<'shared' | 'init'>('loRand', config, { shared: ['true', 'false'], init: ['zero', 'kaiming'] });
  const make: MakeExtension = (name, index) =>
    new LoRandLayer({ name, ...config, seed: seedOf(config.seed, index) });
  return {
    name: 'loRand',
    config: { ...config, after: patternToJson(after), ...inPlaceToJson({ levels, alsoTrain }) },
    split: (base) => ({
      ...append(base, { method: 'loRand', after, make, levels, alsoTrain }),
      zeroWhenOff: /\/up_(p|bias)$/,
    }),
    wrap: (layer) => appendTo(layer, 'loRand', make),
  };
}

const defaults: Required<Omit<LoRandOptions, 'after' | 'levels' | 'alsoTrain'>> = {
  alpha: 2,
  beta: 8,
  shared: true,
  init: 'zero',
  seed: 0,
};
