import { Bottleneck } from '../layers/bottleneck.ts';
import type { LayerPattern } from '../taps.ts';
import { append, appendTo, type MakeExtension, seedOf } from './append.ts';
import { type InPlaceOptions, inPlaceToJson } from './in-place-options.ts';
import type { Method } from './method.ts';
import { checkChoices, checkPositiveIntegers, checkRange, patternToJson, withDefaults } from './options.ts';

/** Options of {@link adapter}. */
export interface AdapterOptions extends InPlaceOptions {
  /**
   * Which layers are followed by an adapter; `/\.(attn|mlp)$/` by default: Swin's attention and MLP, in front of the
   * residual addition.
   */
  after?: LayerPattern;
  /** Hidden width; 64 by default. */
  width?: number;
  /** `gelu` (default, the exact one) or `relu`. */
  activation?: 'gelu' | 'relu';
  /** Share of the hidden width that is dropped in training; 0 by default. */
  dropout?: number;
  /** `zero` (default): a fresh adapter changes nothing. `kaiming`: no kernel starts at zero. */
  init?: 'zero' | 'kaiming';
  /** Seed of the initial weights; 0 by default. */
  seed?: number;
}

/**
 * The method `adapter`: `x + up(activation(down(x)))` behind chosen layers of the base.
 *
 * Source: Houlsby et al., arXiv 1902.00751; the row "Adapter" of arXiv 2306.09729, 3,107,328 parameters on Swin-B.
 *
 * @throws {@link MethodOptionError} for options out of range; {@link TapError} from `split` if no layer matches.
 *
 * @example
 * ```ts
 * import { adapter } from '@e3va/adapter-core';
 *
 * console.log(adapter({ after: /_project_BN$/, width: 16 }).config.width); // 16
 * ```
 */
export function adapter(options: AdapterOptions = {}): Method {
  const { after = /\.(attn|mlp)$/, levels, alsoTrain, ...rest } = options;
  const config = withDefaults(defaults, rest);
  checkPositiveIntegers('adapter', { width: config.width });
  checkRange('adapter', { dropout: config.dropout }, { below: 1 });
  checkChoices<'activation' | 'init'>('adapter', config, {
    activation: ['gelu', 'relu'],
    init: ['zero', 'kaiming'],
  });
  const make: MakeExtension = (name, index) =>
    new Bottleneck({ name, ...config, scale: 1, seed: seedOf(config.seed, index) });
  return {
    name: 'adapter',
    config: { ...config, after: patternToJson(after), ...inPlaceToJson({ levels, alsoTrain }) },
    split: (base) => ({
      ...append(base, { method: 'adapter', after, make, levels, alsoTrain }),
      zeroWhenOff: /\/up_(kernel|bias)$/,
    }),
    wrap: (layer) => appendTo(layer, 'adapter', make),
  };
}

const defaults: Required<Omit<AdapterOptions, 'after' | 'levels' | 'alsoTrain'>> = {
  width: 64,
  activation: 'gelu',
  dropout: 0,
  init: 'zero',
  seed: 0,
};
