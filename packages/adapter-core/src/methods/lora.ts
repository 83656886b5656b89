import type { LayersModel } from '@tensorflow/tfjs-layers';
import type { Layer } from '../copy-layer.ts';
import { sortedNodes } from '../graph.ts';
import { LoraLayer } from '../layers/lora.ts';
import type { LoraFused } from '../layers/lora-kernel.ts';
import { findTaps, type LayerPattern, TapError } from '../taps.ts';
import { seedOf } from './append.ts';
import { type InPlaceOptions, inPlaceToJson } from './in-place-options.ts';
import type { Method, Split } from './method.ts';
import {
  checkChoices,
  checkPositiveIntegers,
  checkRange,
  MethodOptionError,
  patternToJson,
  withDefaults,
} from './options.ts';
import { type Edit, rewrite } from './rewrite.ts';

/** Options of {@link lora}. */
export interface LoraOptions extends InPlaceOptions {
  /**
   * Which layers LoRA stands on: Dense layers, Conv2D layers with channels last, and layers of other classes that say
   * by a property `affine: true` that they are `activation(x · kernel + bias)` over the last axis. By default the query and value projections of attention:
   * layers whose names end in `qkv`, `query`, `value`, `q_proj`, `v_proj`, `q` or `v`.
   */
  targets?: LayerPattern;
  /** Rank of the change; 8 by default. */
  rank?: number;
  /** Scale of the change times the rank, PEFT's `lora_alpha`; 8 by default. */
  alpha?: number;
  /** Share of the low-rank part's input that is dropped in training; 0 by default. */
  dropout?: number;
  /** Scale alpha / √rank instead of alpha / rank (rank-stabilised LoRA). */
  rslora?: boolean;
  /** Trains the size of each output's kernel apart from its direction (DoRA). */
  dora?: boolean;
  /** How A is drawn: `kaiming` (default), uniform in ±1/√fanIn, or `gaussian`, deviation 1 / rank. B starts at zero. */
  init?: 'kaiming' | 'gaussian';
  /** Seed of the initial weights; 0 by default. */
  seed?: number;
  /**
   * What a layer whose name ends in `qkv` holds: `parts` projections side by side, of which LoRA stands on those of
   * `on`, each with factors of its own. `{ parts: 3, on: [0, 2] }` by default; `false` for one matrix.
   */
  fused?: LoraFused | false;
}

type LoraConfig = Required<Omit<LoraOptions, 'targets' | 'levels' | 'alsoTrain'>>;

const defaults: LoraConfig = {
  rank: 8,
  alpha: 8,
  dropout: 0,
  rslora: false,
  dora: false,
  init: 'kaiming',
  seed: 0,
  fused: { parts: 3, on: [0, 2] },
};

const projections = /(^|[._/-])(query|value|q|v|q_proj|v_proj)$|qkv$/;

/**
 * The method `lora`: a low-rank change beside the kernels of chosen layers, `x W + s · (x A) B` with W frozen. It can be
 * merged into the base.
 *
 * Source: Hu et al., arXiv 2106.09685; rsLoRA arXiv 2312.03732; DoRA arXiv 2402.09353. Numbers as in PEFT.
 *
 * @throws {@link MethodOptionError} for options out of range; from `split`, {@link TapError} if no layer matches, and
 * {@link MethodLayerError} if one that matches is of a kind that LoRA cannot stand on.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import * as tfl from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adapt, lora } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const base = tfl.sequential({
 *   layers: [tfl.layers.dense({ name: 'hidden', units: 16, inputShape: [8], activation: 'relu' }), tfl.layers.dense({ units: 4 })],
 * });
 * const adapted = adapt(base, lora({ targets: 'hidden', rank: 2 }));
 * console.log(adapted.parameters.trainable); // 2 * (8 + 16) = 48
 * ```
 */
export function lora(options: LoraOptions = {}): Method {
  const { targets, levels, alsoTrain, ...rest } = options;
  const config = withDefaults(defaults, rest);
  checkOptions(config);
  return {
    name: 'lora',
    config: {
      ...config,
      ...(targets && { targets: patternToJson(targets) }),
      ...inPlaceToJson({ levels, alsoTrain }),
    },
    split: (base) => loraSplit(base, targets, config, { levels, alsoTrain }),
    wrap: (layer) => loraOn(layer, config, 0),
  };
}

function loraSplit(
  base: LayersModel,
  targets: LayerPattern | undefined,
  config: LoraConfig,
  place: InPlaceOptions,
): Split {
  const names = new Set(targetNames(base, targets));
  const edits = new Map<Layer, Edit>();
  for (const { layer } of sortedNodes(base.inputs, base.outputs)) {
    if (!names.has(layer.name) || edits.has(layer)) continue;
    edits.set(layer, { replace: loraOn(layer, config, edits.size) });
  }
  return { ...rewrite(base, edits, place), zeroWhenOff: /\/lora_B$/ };
}

function targetNames(base: LayersModel, targets: LayerPattern | undefined): string[] {
  if (targets) return findTaps(base, targets).map(({ name }) => name);
  const names = base.layers.map((layer) => layer.name).filter((name) => projections.test(name));
  if (names.length > 0) return names;
  throw new TapError({
    what: `lora finds no query and value projections in model '${base.name}'`,
    expected: `layers whose names match ${projections}`,
    received:
      base.layers
        .slice(0, 8)
        .map((layer) => layer.name)
        .join(', ') + (base.layers.length > 8 ? ', …' : ''),
    fix: 'say which layers, for instance lora({ targets: /^dense/ })',
  });
}

function loraOn(layer: Layer, { fused, seed, ...config }: LoraConfig, index: number): LoraLayer {
  const split = fused && layer.name.endsWith('qkv') ? { fused } : {};
  return new LoraLayer({ layer, ...config, ...split, seed: seedOf(seed, index) });
}

function checkOptions(config: LoraConfig): void {
  const { rank, alpha, dropout, fused } = config;
  checkPositiveIntegers('lora', { rank });
  checkRange('lora', { alpha }, { least: Number.MIN_VALUE });
  checkRange('lora', { dropout }, { below: 1 });
  checkChoices<'init' | 'rslora' | 'dora'>('lora', config, {
    init: ['kaiming', 'gaussian'],
    rslora: ['true', 'false'],
    dora: ['true', 'false'],
  });
  if (fused) checkFused(fused);
}

function checkFused({ parts, on }: LoraFused): void {
  checkPositiveIntegers('lora', { 'fused.parts': parts });
  const ascending = Array.isArray(on) && on.every((part, i) => i === 0 || part > on[i - 1]!);
  const inside =
    ascending && on.length > 0 && on.every((part) => Number.isInteger(part) && part >= 0 && part < parts);
  if (inside) return;
  throw new MethodOptionError({
    what: "lora: 'fused.on' must list projections, ascending",
    expected: `some of the numbers from 0 to ${parts - 1}`,
    received: JSON.stringify(on),
  });
}
