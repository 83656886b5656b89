import type { LayersModel } from '@tensorflow/tfjs-layers';
import { type Layer, weightName } from '../copy-layer.ts';
import { sortedNodes } from '../graph.ts';
import { findTaps, type LayerPattern, TapError } from '../taps.ts';
import { trainInPlace, trainLayer } from './in-place.ts';
import type { Method } from './method.ts';
import { patternToJson } from './options.ts';

/** Options of {@link partial}. */
export interface PartialOptions {
  /** Which layers are trained; by default those of the last block, by names such as `stages.3.blocks.1.attn.qkv`. */
  layers?: LayerPattern;
  /** Indices of the base's outputs that make the pyramid; all by default. */
  levels?: number[];
}

/**
 * The method `partial` ("Partial-1"): trains the last block of the base, all its weights but moving statistics. The
 * layers before it are off the tape.
 *
 * Source: the row "Partial-1" of arXiv 2306.09729; 12,601,632 parameters on Swin-B.
 *
 * @throws {@link TapError} from `split` if no layer is named by a block, or the layers have no weights; pass `layers`.
 *
 * @example
 * ```ts
 * import { partial } from '@e3va/adapter-core';
 *
 * console.log(partial({ layers: /^conv_pw_13/ }).config); // { layers: '/^conv_pw_13/' }
 * ```
 */
export function partial({ layers, levels }: PartialOptions = {}): Method {
  const split = (base: LayersModel) => {
    const chosen = new Set(layers ? matching(base, layers) : lastBlock(base));
    return trainInPlace('partial', base, (layer) => (chosen.has(layer) ? weightsOf(layer) : []), levels);
  };
  return {
    name: 'partial',
    config: { ...(layers && { layers: patternToJson(layers) }), ...(levels && { levels }) },
    split,
    wrap: (layer) => trainLayer('partial', layer, weightsOf),
  };
}

function matching(base: LayersModel, pattern: LayerPattern): Layer[] {
  const names = new Set(findTaps(base, pattern).map(({ name }) => name));
  return base.layers.filter((layer) => names.has(layer.name));
}

/** The layers named after the last block of the graph: `….blocks.1.…`, `block_12_…`, `encoder.layer.11.…`. */
function lastBlock(base: LayersModel): Layer[] {
  const prefixOf = (layer: Layer) =>
    /^.*?blocks?[._]?\d+(?=[._])|^.*?layers?[._]\d+(?=[._])/.exec(layer.name)?.[0];
  const nodes = sortedNodes(base.inputs, base.outputs).filter(({ layer }) => prefixOf(layer) !== undefined);
  const last = nodes.at(-1);
  if (last) {
    const prefix = prefixOf(last.layer);
    return nodes.map(({ layer }) => layer).filter((layer) => prefixOf(layer) === prefix);
  }
  throw new TapError({
    what: `partial: no layer of model '${base.name}' is named after a block`,
    expected: 'names such as stages.3.blocks.1.attn.qkv or block_12_expand',
    received: `${base.layers
      .slice(-5)
      .map((layer) => layer.name)
      .join(', ')} at the end`,
    fix: 'pass the layers to train, for instance partial({ layers: /^conv5/ })',
  });
}

/** Every weight but the moving statistics of batch normalisation. */
const weightsOf = (layer: Layer): string[] =>
  layer.weights.map((w) => weightName(layer, w)).filter((name) => !/(^|\/)moving_/.test(name));
