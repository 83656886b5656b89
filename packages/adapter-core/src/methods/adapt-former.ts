import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from '../copy-layer.ts';
import { type GraphNode, sortedNodes } from '../graph.ts';
import { AppendedLayer } from '../layers/appended.ts';
import { Bottleneck } from '../layers/bottleneck.ts';
import { findTaps, type LayerPattern, type Tap, TapError } from '../taps.ts';
import { type MakeExtension, seedOf } from './append.ts';
import { type InPlaceOptions, inPlaceToJson } from './in-place-options.ts';
import type { Method, Split } from './method.ts';
import { checkChoices, checkPositiveIntegers, checkRange, patternToJson, withDefaults } from './options.ts';
import { type Edit, rewrite } from './rewrite.ts';

/** Options of {@link adaptFormer}. */
export interface AdaptFormerOptions extends InPlaceOptions {
  /**
   * The residual branches that adapters stand parallel to, by the layers whose results are added to the stream;
   * `/\.mlp$/` by default. The table of the E³VA paper has the count of two a block, `/\.(attn|mlp)$/`.
   */
  branches?: LayerPattern;
  /** Hidden width; 64 by default. */
  width?: number;
  /** What the adapter's branch is multiplied by; 0.1 by default. */
  scale?: number;
  /** `relu` (default, as published) or `gelu` (the exact one; the code of E³VA's authors). */
  activation?: 'gelu' | 'relu';
  /** Share of the hidden width that is dropped in training; 0.1 by default. */
  dropout?: number;
  /** `zero` (default): a fresh adapter changes nothing. `kaiming`: no kernel starts at zero. */
  init?: 'zero' | 'kaiming';
  /** Seed of the initial weights; 0 by default. */
  seed?: number;
}

/**
 * The method `adaptFormer`: bottlenecks parallel to residual branches, `x + branch(x) + s · up(activation(down(x)))`.
 * They read the stream itself, in front of the branch's normalisation.
 *
 * Source: Chen et al., arXiv 2205.13535; one a block has 1,553,664 parameters on Swin-B.
 *
 * @throws {@link MethodOptionError} for options out of range; {@link TapError} from `split` if no layer matches, or if
 * a layer's result is not added to a stream; {@link MethodLayerError} when a layer of `wrap` changes the shape.
 *
 * @example
 * ```ts
 * import { adaptFormer } from '@e3va/adapter-core';
 *
 * console.log(adaptFormer({ activation: 'gelu' }).config.scale); // 0.1
 * ```
 */
export function adaptFormer(options: AdaptFormerOptions = {}): Method {
  const { branches = /\.mlp$/, levels, alsoTrain, ...rest } = options;
  const config = withDefaults(defaults, rest);
  checkOptions(config);
  const make: MakeExtension = (name, index) =>
    new Bottleneck({ name, ...config, seed: seedOf(config.seed, index) });
  return {
    name: 'adaptFormer',
    config: { ...config, branches: patternToJson(branches), ...inPlaceToJson({ levels, alsoTrain }) },
    split: (base) => beside(base, findTaps(base, branches), make, { levels, alsoTrain }),
    wrap: (layer) =>
      new AppendedLayer({ layer, extension: make(`${layer.name}/adaptFormer`, 0), parallel: true }),
  };
}

type AdaptFormerConfig = Required<Omit<AdaptFormerOptions, 'branches' | 'levels' | 'alsoTrain'>>;

const defaults: AdaptFormerConfig = {
  width: 64,
  scale: 0.1,
  activation: 'relu',
  dropout: 0.1,
  init: 'zero',
  seed: 0,
};

function checkOptions(config: AdaptFormerConfig): void {
  const { width, scale, dropout } = config;
  checkPositiveIntegers('adaptFormer', { width });
  checkRange('adaptFormer', { scale }, { least: Number.MIN_VALUE });
  checkRange('adaptFormer', { dropout }, { below: 1 });
  checkChoices<'activation' | 'init'>('adaptFormer', config, {
    activation: ['relu', 'gelu'],
    init: ['zero', 'kaiming'],
  });
}

/** The base with an adapter at each addition of a branch to its stream. */
function beside(base: LayersModel, branches: Tap[], make: MakeExtension, place: InPlaceOptions): Split {
  const nodes = sortedNodes(base.inputs, base.outputs);
  const taps = new Map<string, string[]>();
  const edits = new Map<Layer, Edit>();
  branches.forEach((branch, index) => {
    const addition = additionOf(nodes, branch);
    const stream = addition.inputs.findIndex((t) => t.id !== branch.tensor.id);
    const adapter = make(`adaptFormer.${addition.layer.name}`, index);
    taps.set(adapter.name, [branch.name]);
    edits.set(addition.layer, {
      after: (sum, inputs) => adapter.apply([sum, inputs[stream]!]) as SymbolicTensor,
    });
  });
  return { ...rewrite(base, edits, place), taps, zeroWhenOff: /\/up_(kernel|bias)$/ };
}

/** The one node that reads a branch: the addition of it to a stream. */
function additionOf(nodes: GraphNode[], { name, tensor }: Tap): GraphNode {
  const readers = nodes.filter(({ inputs }) => inputs.some((t) => t.id === tensor.id));
  const [first] = readers;
  const others = first?.inputs.filter((t) => t.id !== tensor.id) ?? [];
  const once = first?.layer.inboundNodes.length === 1;
  if (readers.length === 1 && first!.layer.getClassName() === 'Add' && others.length === 1 && once)
    return first!;
  throw new TapError({
    what: `adaptFormer cannot stand parallel to '${name}', which is not a branch of a residual stream`,
    expected: 'a layer whose result is read by one Add of two tensors, and by nothing else',
    received: `readers ${readers.map(({ layer }) => `${layer.name} (${layer.getClassName()})`).join(', ') || '(none)'}`,
    fix: 'choose the last layers of residual branches, or the method adapter, which stands behind any layer',
  });
}
