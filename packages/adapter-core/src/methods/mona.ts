import { MonaLayer } from '../layers/mona.ts';
import type { LayerPattern } from '../taps.ts';
import { append, appendTo, type MakeExtension, seedOf } from './append.ts';
import { type InPlaceOptions, inPlaceToJson } from './in-place-options.ts';
import type { Method } from './method.ts';
import { checkChoices, checkPositiveIntegers, checkRange, patternToJson, withDefaults } from './options.ts';

/** Options of {@link mona}. */
export interface MonaOptions extends InPlaceOptions {
  /**
   * Which layers are followed by an adapter; `/\.add[12]$/` by default: Swin's residual additions. Their results must be
   * maps [batch, height, width, C].
   */
  after?: LayerPattern;
  /** Hidden width; 64 by default. */
  width?: number;
  /** Share of the hidden width that is dropped in training; 0.1 by default. */
  dropout?: number;
  /** `zero` (default): a fresh adapter changes nothing. `kaiming` (the authors' code): no kernel starts at zero. */
  init?: 'zero' | 'kaiming';
  /** Seed of the initial weights; 0 by default. */
  seed?: number;
}

/**
 * The method `mona`: adapters with depthwise convolutions of three sizes behind each residual addition. Strong, but not
 * light in memory.
 *
 * Source: Yin et al., arXiv 2408.08345; 3,667,456 parameters on Swin-B.
 *
 * @throws {@link MethodOptionError} for options out of range; from `split`, {@link TapError} if no layer matches, and
 * {@link MethodLayerError} if one that matches makes no map.
 *
 * @example
 * ```ts
 * import { mona } from '@e3va/adapter-core';
 *
 * console.log(mona({ after: /^add_/, width: 16 }).config.after); // '/^add_/'
 * ```
 */
export function mona(options: MonaOptions = {}): Method {
  const { after = /\.add[12]$/, levels, alsoTrain, ...rest } = options;
  const config = withDefaults(defaults, rest);
  checkPositiveIntegers('mona', { width: config.width });
  checkRange('mona', { dropout: config.dropout }, { below: 1 });
  checkChoices<'init'>('mona', config, { init: ['zero', 'kaiming'] });
  const make: MakeExtension = (name, index) =>
    new MonaLayer({ name, ...config, seed: seedOf(config.seed, index) });
  return {
    name: 'mona',
    config: { ...config, after: patternToJson(after), ...inPlaceToJson({ levels, alsoTrain }) },
    split: (base) => ({
      ...append(base, { method: 'mona', after, make, levels, alsoTrain }),
      zeroWhenOff: /\/up_(kernel|bias)$/,
    }),
    wrap: (layer) => appendTo(layer, 'mona', make),
  };
}

const defaults: Required<Omit<MonaOptions, 'after' | 'levels' | 'alsoTrain'>> = {
  width: 64,
  dropout: 0.1,
  init: 'zero',
  seed: 0,
};
