import { type Converter, configOf, neededWeight, unsupported, weightOf } from '../converter.ts';
import { computed, type WeightArray } from '../graph/array.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';

/** A weight, or as many equal numbers where the layer has none. */
const orFilled = (weight: WeightArray | undefined, value: number, dims: readonly number[]): WeightArray =>
  weight ??
  computed(`filled${value}:[${dims}]`, [], dims, () =>
    new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(value),
  );

interface BatchNormWeights {
  gamma: WeightArray;
  beta: WeightArray;
  mean: WeightArray;
  variance: WeightArray;
}

/** (x - mean) / √(variance + ε) · gamma + beta, of the last axis of the value. */
export function batchNorm(
  graph: Graph,
  x: Value,
  { gamma, beta, mean, variance }: BatchNormWeights,
  epsilon: number,
): Value {
  if (x.isChannelsFirst) {
    const weights = [gamma, beta, mean, variance].map((array) => graph.weight(array));
    const y = graph.node('BatchNormalization', [x.channelsFirst, ...weights], {
      epsilon: { float: epsilon },
    });
    return graph.channelsFirst(y, x.shape);
  }
  const all = [gamma, beta, mean, variance];
  const scale = computed(`scale${epsilon}`, all, gamma.dims, (g, _b, _m, v) =>
    g!.map((factor, i) => factor / Math.sqrt(v![i]! + epsilon)),
  );
  const shift = computed(`shift${epsilon}`, all, gamma.dims, (g, b, m, v) =>
    g!.map((factor, i) => b![i]! - (m![i]! * factor) / Math.sqrt(v![i]! + epsilon)),
  );
  const scaled = graph.node('Mul', [x.tensor, graph.weight(scale)]);
  return graph.value(graph.node('Add', [scaled, graph.weight(shift)]), x.shape);
}

const batchNormalization: Converter = (layer, [x], graph) => {
  const { axis, epsilon } = configOf<{ axis: number | [number]; epsilon: number }>(layer);
  // tfjs's own kernels take every axis for the last one here; files of Keras have a list of one axis
  if (![-1, x!.shape.length - 1].includes([axis].flat()[0]!))
    throw unsupported(layer, 'the last axis', `axis ${axis}`);
  const mean = neededWeight(layer, 'moving_mean');
  const weights = {
    gamma: orFilled(weightOf(layer, 'gamma'), 1, mean.dims),
    beta: orFilled(weightOf(layer, 'beta'), 0, mean.dims),
    mean,
    variance: neededWeight(layer, 'moving_variance'),
  };
  return batchNorm(graph, x!, weights, epsilon);
};

/** Normalisation of each entry of the leading axes by its own statistics over the others, from `axis` on. */
function layerNorm(
  graph: Graph,
  x: Value,
  [gamma, beta]: readonly [WeightArray, WeightArray],
  axis: number,
  epsilon: number,
): Value {
  const inputs = [x.tensor, graph.weight(gamma), graph.weight(beta)];
  return graph.value(
    graph.node('LayerNormalization', inputs, { axis, epsilon: { float: epsilon } }),
    x.shape,
  );
}

const layerNormalization: Converter = (layer, [x], graph) => {
  const { axis, epsilon } = configOf<{ axis: number | number[]; epsilon: number }>(layer);
  const rank = x!.shape.length;
  const axes = [axis].flat().map((n) => (n < 0 ? n + rank : n));
  axes.sort((a, b) => a - b);
  const first = rank - axes.length;
  const dims = axes.map((n) => x!.shape[n]!);
  if (axes.some((n, i) => n !== first + i) || dims.some((n) => typeof n !== 'number')) {
    throw unsupported(layer, 'normalisation over the last axes, of known sizes', `axis ${axis}`);
  }
  const weights = [
    orFilled(weightOf(layer, 'gamma'), 1, dims as number[]),
    orFilled(weightOf(layer, 'beta'), 0, dims as number[]),
  ] as const;
  return layerNorm(graph, x!, weights, first, epsilon);
};

const e3vaLayerNorm: Converter = (layer, [x], graph) => {
  const { epsilon } = configOf<{ epsilon: number }>(layer);
  const weights = [neededWeight(layer, 'gamma'), neededWeight(layer, 'beta')] as const;
  return layerNorm(graph, x!, weights, -1, epsilon);
};

/** Converters of normalisations, by class. */
export const normConverters: Record<string, Converter> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  E3vaLayerNorm: e3vaLayerNorm,
};
