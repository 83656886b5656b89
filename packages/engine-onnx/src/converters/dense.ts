import type { Layer } from '@e3va/adapter-core';
import { type Converter, configOf, neededWeight, shapeBy, unsupported, weightOf } from '../converter.ts';
import { activate, clip } from '../graph/activation.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';

/** The activation that a layer has at its end, by its configuration. */
export function activated(layer: Layer, graph: Graph, x: Value): Value {
  const { activation } = configOf<{ activation?: string | null }>(layer);
  if (activation == null) return x;
  const done = typeof activation === 'string' ? activate(graph, activation, x) : undefined;
  if (done) return done;
  throw unsupported(layer, 'an activation of tfjs-layers', JSON.stringify(activation));
}

/** x · kernel + bias over the last axis, and an activation. */
const dense: Converter = (layer, [x], graph) => {
  const kernel = neededWeight(layer, 'kernel');
  const y = graph.affine(x!.tensor, kernel, weightOf(layer, 'bias'));
  return activated(layer, graph, graph.value(y, [...x!.shape.slice(0, -1), kernel.dims[1]!]));
};

const embedding: Converter = (layer, inputs, graph) => {
  const rows = graph.node('Cast', [inputs[0]!.tensor], { to: 7 });
  const tensor = graph.node('Gather', [graph.weight(neededWeight(layer, 'embeddings')), rows]);
  return graph.value(tensor, shapeBy(layer, inputs, tensor));
};

const activation: Converter = (layer, [x], graph) => activated(layer, graph, x!);

const relu: Converter = (layer, [x], graph) => {
  const { maxValue } = configOf<{ maxValue?: number | null }>(layer);
  return graph.map(x!, (t) => (maxValue == null ? graph.node('Relu', [t]) : clip(graph, t, 0, maxValue)));
};

const leakyRelu: Converter = (layer, [x], graph) => {
  const { alpha } = configOf<{ alpha: number }>(layer);
  return graph.map(x!, (t) => graph.node('LeakyRelu', [t], { alpha: { float: alpha } }));
};

const prelu: Converter = (layer, [x], graph) => {
  const slope = graph.weight(neededWeight(layer, 'alpha'));
  return graph.value(graph.node('PRelu', [x!.tensor, slope]), x!.shape);
};

/** tfjs-layers leaves `alpha` out of account. */
const elu: Converter = (_, [x], graph) => graph.map(x!, (t) => graph.node('Elu', [t]));

const thresholdedRelu: Converter = (layer, [x], graph) => {
  const { theta } = configOf<{ theta: number }>(layer);
  return graph.map(x!, (t) => graph.node('ThresholdedRelu', [t], { alpha: { float: theta } }));
};

const softmax: Converter = (layer, [x], graph) => {
  const { axis } = configOf<{ axis?: number | null }>(layer);
  return graph.value(graph.node('Softmax', [x!.tensor], { axis: axis ?? -1 }), x!.shape);
};

const rescaling: Converter = (layer, [x], graph) => {
  const { scale, offset } = configOf<{ scale: number; offset: number }>(layer);
  return graph.map(x!, (t) =>
    graph.node('Add', [graph.node('Mul', [t, graph.float(scale)]), graph.float(offset)]),
  );
};

/** Converters of products and activations, by class. */
export const denseConverters: Record<string, Converter> = {
  Dense: dense,
  E3vaLinear: dense,
  Embedding: embedding,
  Activation: activation,
  ReLU: relu,
  LeakyReLU: leakyRelu,
  PReLU: prelu,
  ELU: elu,
  ThresholdedReLU: thresholdedRelu,
  Softmax: softmax,
  Rescaling: rescaling,
};
