import { type Converter, configOf, neededWeight } from '../converter.ts';
import { computed, type WeightArray } from '../graph/array.ts';
import { addByWindow, attend, type Heads, scaledQueries, splitHeads } from '../graph/attention.ts';
import type { Graph } from '../graph/graph.ts';
import { ceilQuotient, type Size, times } from '../graph/size.ts';
import type { Value } from '../graph/value.ts';
import { continuousBias, maskedBias, tableBias } from './swin-bias.ts';

interface AttentionConfig {
  heads: number;
  window: number;
  shift: number;
}

/** The scores with bias and mask, and what they mix; `map` gives the size of the image. */
function windowed(
  graph: Graph,
  qkv: Value,
  map: Value,
  config: AttentionConfig,
  bias: WeightArray,
  heads: (sizes: { depth: number }, split: Heads) => Heads,
): Value {
  const { window, shift } = config;
  const [rows, tokens, triple] = qkv.shape as [Size, number, number];
  const sizes = { rows, tokens, heads: config.heads, depth: triple / 3 / config.heads };
  const counts = [map.shape[1]!, map.shape[2]!].map((n) => ceilQuotient(n, window));
  const offset = (scores: string) => {
    if (shift === 0) return graph.node('Add', [scores, graph.weight(bias)]);
    const offsets = maskedBias(graph, bias, map, config);
    return addByWindow(graph, scores, offsets, sizes, [map.shape[0]!, times(...counts)]);
  };
  const split = heads(sizes, splitHeads(graph, qkv.tensor, sizes));
  return graph.value(attend(graph, split, sizes, offset), [rows, tokens, triple / 3]);
}

const windowAttention: Converter = (layer, [qkv, map], graph) => {
  const config = configOf<AttentionConfig>(layer);
  const bias = tableBias(neededWeight(layer, 'relative_position_bias_table'), config.window);
  return windowed(graph, qkv!, map!, config, bias, ({ depth }, split) => scaledQueries(graph, split, depth));
};

/** Largest logarithm of the factor on the cosines. */
const mostLogit = Math.log(100);

const cosineWindowAttention: Converter = (layer, [qkv, map], graph) => {
  const config = configOf<AttentionConfig & { pretrainedWindow: number }>(layer);
  const [q, v] = [neededWeight(layer, 'q_bias'), neededWeight(layer, 'v_bias')];
  const channels = q.dims[0]!;
  const biases = computed('qv', [q, v], [3 * channels], (q, v) => {
    const all = new Float32Array(3 * channels);
    all.set(q!);
    all.set(v!, 2 * channels);
    return all;
  });
  const network = ['cpb_mlp.0.kernel', 'cpb_mlp.0.bias', 'cpb_mlp.2.kernel'].map((name) =>
    neededWeight(layer, name),
  ) as [WeightArray, WeightArray, WeightArray];
  const bias = continuousBias(network, config.window, config.pretrainedWindow);
  const logits = neededWeight(layer, 'logit_scale');
  const factors = computed('factors', [logits], [config.heads, 1, 1], (data) =>
    data!.map((logit) => Math.exp(Math.min(logit, mostLogit))),
  );
  const biased = graph.value(graph.node('Add', [qkv!.tensor, graph.weight(biases)]), qkv!.shape);
  return windowed(graph, biased, map!, config, bias, (_, [q, k, v]) => [
    graph.node('Mul', [graph.node('Div', [q, norms(graph, q)]), graph.weight(factors)]),
    graph.node('Div', [k, norms(graph, k)]),
    v,
  ]);
};

/** ‖x‖ over the last axis of four, which is kept; 10⁻¹² for shorter vectors. */
function norms(graph: Graph, x: string): string {
  const squares = graph.reduce('Sum', graph.node('Mul', [x, x]), [3], true);
  return graph.node('Sqrt', [graph.node('Max', [squares, graph.float(1e-24)])]);
}

/** Converters of Swin's attention, by class. */
export const swinConverters: Record<string, Converter> = {
  E3vaWindowAttention: windowAttention,
  E3vaCosineWindowAttention: cosineWindowAttention,
};
