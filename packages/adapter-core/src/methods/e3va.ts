import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Layer } from '../copy-layer.ts';
import { HighwayLayer } from '../layers/highway-layer.ts';
import { checkChannelsLast } from '../map-graph.ts';
import { suggestTaps } from '../suggest-taps.ts';
import { findTaps, type LayerPattern, type Tap, TapError } from '../taps.ts';
import { undoVariablesOnError } from '../undo-variables.ts';
import { type E3vaConfig, type E3vaOptions, stageConfig } from './e3va-config.ts';
import { LostMaskError } from './highway-layers.ts';
import { inherit } from './inherit.ts';
import type { Method, Split } from './method.ts';
import {
  checkChoices,
  checkPositiveIntegers,
  checkRange,
  MethodLayerError,
  patternToJson,
  withDefaults,
} from './options.ts';
import { poolProject } from './pool-project.ts';

/**
 * The method E³VA: adapters stand on a gradient highway parallel to the base, read its activations at the taps, and
 * never send a gradient into it.
 *
 * Each adapter is `E(u) = u + W_U gelu(W_D u + b_D) + b_U` with hidden width C/2 and low-rank W_D and W_U. The
 * highway's stream starts as the base's own activation in front of the first tap, adds each tap's E(u), and gives
 * the pyramid through the (trainable) out-norms.
 *
 * Source: arXiv 2306.09729. The start of the stream, the rank and the wiring of the norms are our reading of it.
 *
 * @throws {@link MethodOptionError} for a rank, alpha or beta that is no positive whole number.
 *
 * @example
 * ```ts
 * import { e3va } from '@e3va/adapter-core';
 *
 * const method = e3va({ rank: 8 });
 * console.log(method.name, method.config.form, method.config.rank); // e3va pq 8
 * ```
 */
export function e3va(options: E3vaOptions = {}): Method {
  const { taps: pattern, ...rest } = options;
  const config: E3vaConfig = withDefaults<E3vaConfig>(defaults, rest);
  checkOptions(config);
  return {
    name: 'e3va',
    config: {
      ...config,
      ...(pattern !== undefined && { taps: patternToJson(pattern) }),
      ...(config.alsoTrain !== undefined && { alsoTrain: patternToJson(config.alsoTrain) }),
    },
    split: (base) => ({ ...splitAt(base, pattern, config), zeroWhenOff: /\/up_(p|bias)$/ }),
    wrap: (layer) => {
      checkSingle(layer, config);
      return new HighwayLayer({ layer, stage: stageConfig(config, layer.name, 0) });
    },
  };
}

const defaults: E3vaConfig = {
  transition: 'auto',
  form: 'pq',
  rank: 16,
  alpha: 2,
  beta: 8,
  outNorms: 'trainable',
  init: 'zero',
  orthogonal: 0,
  mixing: 'none',
  savedTaps: 'fp32',
  feedback: 0,
  seed: 0,
};

/** The highway at the taps that were asked for; at the paper's, or else at the proposed ones, if none were. */
function splitAt(base: LayersModel, pattern: LayerPattern | undefined, config: E3vaConfig): Split {
  checkChannelsLast(base);
  if (pattern !== undefined) return highway(base, findTaps(base, pattern), config);
  if (base.layers.some((layer) => papersTaps.test(layer.name))) {
    return highway(base, findTaps(base, papersTaps), config);
  }
  const { taps, transition } = suggestTaps(base);
  const chosen = config.transition === 'auto' ? { ...config, transition } : config;
  return highway(base, findTaps(base, taps), chosen);
}

const papersTaps = /\.(attn|mlp)$/;

/** The highway of the wanted transition; `auto` inherits where the taps are branches of a residual stream. */
function highway(base: LayersModel, taps: Tap[], config: E3vaConfig): Split {
  checkMixing(taps, config);
  if (config.transition === 'pool-project') {
    checkPoolProject(config);
    return poolProject(base, taps, config);
  }
  try {
    return undoVariablesOnError(() => inherit(base, taps, config));
  } catch (error) {
    const other = error instanceof TapError && !(error instanceof LostMaskError);
    if (config.transition === 'inherit' || !other) throw error;
    checkPoolProject(config);
    return poolProject(base, taps, config);
  }
}

function checkOptions(config: E3vaConfig): void {
  const { rank, alpha, beta, orthogonal, feedback } = config;
  checkPositiveIntegers('e3va', { rank, alpha, beta });
  checkRange('e3va', { orthogonal });
  if (feedback !== 0) checkPositiveIntegers('e3va', { feedback });
  checkChoices<'transition' | 'form' | 'outNorms' | 'init' | 'mixing' | 'savedTaps'>('e3va', config, {
    transition: ['auto', 'inherit', 'pool-project'],
    form: ['pq', 'pkq'],
    outNorms: ['trainable', 'frozen'],
    init: ['zero', 'kaiming', 'svd'],
    mixing: ['none', 'depthwise3x3'],
    savedTaps: ['fp32', 'int16', 'int8', 'recompute'],
  });
}

/** What only an inherited highway can do. */
function checkPoolProject({ savedTaps, feedback }: E3vaConfig): void {
  if (savedTaps === 'fp32' && feedback === 0) return;
  throw new TapError({
    what: `e3va: ${feedback > 0 ? 'feedback' : `savedTaps '${savedTaps}'`} needs a highway of transition 'inherit'`,
    expected: 'taps that are added to a residual stream',
    received: "transition 'pool-project'",
    fix: 'choose taps of residual branches, or leave out savedTaps and feedback',
  });
}

/** A layer alone has no frozen half that could pack its tap, or branches that could be fed back. */
function checkSingle(layer: Layer, { savedTaps, feedback }: E3vaConfig): void {
  if (savedTaps === 'fp32' && feedback === 0) return;
  throw new MethodLayerError({
    what: `e3va: ${feedback > 0 ? 'feedback' : `savedTaps '${savedTaps}'`} cannot be had on layer '${layer.name}' alone`,
    expected: "savedTaps 'fp32' and no feedback",
    fix: 'adapt the whole model with adapt(), or leave the option out',
  });
}

function checkMixing(taps: Tap[], { mixing }: E3vaConfig): void {
  const flat = taps.find(({ tensor }) => tensor.shape.length !== 4);
  if (mixing === 'none' || !flat) return;
  throw new TapError({
    what: `e3va: mixing '${mixing}' needs maps, and tap '${flat.name}' is none`,
    expected: '[batch, height, width, channels]',
    received: `[${flat.tensor.shape.map((size) => size ?? 'any').join(', ')}]`,
    fix: 'leave out mixing, or choose other taps',
  });
}
