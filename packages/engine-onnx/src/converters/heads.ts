import { type Converter, configOf, neededWeight, shapeBy, weightOf } from '../converter.ts';
import { permuted } from '../graph/array.ts';
import type { Graph } from '../graph/graph.ts';
import { nearestRows, resizeBilinear, separable, wholeNumbers } from '../graph/matrix.ts';
import { type Size, sameSize } from '../graph/size.ts';
import type { Value } from '../graph/value.ts';
import { activated } from './dense.ts';
import { batchNorm } from './norm.ts';

/** A map at the height and width of another one. */
function resizedTo(graph: Graph, x: Value, target: Value): Value {
  const [height, width] = target.shape.slice(1, 3) as [Size, Size];
  if (sameSize(x.shape[1]!, height) && sameSize(x.shape[2]!, width)) return x;
  return resizeBilinear(graph, x, [height, width]);
}

interface ConvConfig {
  kernelSize: number;
  stride: number;
}

const conv: Converter = (layer, inputs, graph) => {
  const { kernelSize, stride } = configOf<ConvConfig>(layer);
  const maps = inputs.map((x) => resizedTo(graph, x, inputs[0]!).channelsFirst);
  const joined = maps.length === 1 ? maps[0]! : graph.node('Concat', maps, { axis: 1 });
  const border = (kernelSize - 1) / 2;
  const bias = weightOf(layer, 'bias');
  const kernel = graph.weight(permuted(neededWeight(layer, 'kernel'), [3, 2, 0, 1]));
  const tensor = graph.node('Conv', [joined, kernel, ...(bias ? [graph.weight(bias)] : [])], {
    strides: [stride, stride],
    pads: [border, border, border, border],
  });
  return activated(layer, graph, graph.channelsFirst(tensor, shapeBy(layer, inputs, tensor, 'first')));
};

const addResized: Converter = (_, [x, other], graph) => {
  const tensor = graph.node('Add', [x!.tensor, resizedTo(graph, other!, x!).tensor]);
  return graph.value(tensor, x!.shape);
};

const addNearest: Converter = (_, [x, other], graph) => {
  const [rows, columns] = [1, 2].map((axis) => nearestRows(graph, x!.shape[axis]!, other!.shape[axis]!));
  const tall = graph.node('Gather', [other!.tensor, rows!], { axis: 1 });
  const resized = graph.node('Gather', [tall, columns!], { axis: 2 });
  return graph.value(graph.node('Add', [x!.tensor, resized]), x!.shape);
};

const headBatchNorm: Converter = (layer, [x], graph) => {
  const weights = {
    gamma: neededWeight(layer, 'gamma'),
    beta: neededWeight(layer, 'beta'),
    mean: neededWeight(layer, 'runningMean'),
    variance: neededWeight(layer, 'runningVariance'),
  };
  const { epsilon } = configOf<{ epsilon: number }>(layer);
  return activated(layer, graph, batchNorm(graph, x!, weights, epsilon));
};

const subsample: Converter = (layer, inputs, graph) => {
  const all = graph.integers([2 ** 31, 2 ** 31]);
  const steps = graph.integers([2, 2]);
  const tensor = graph.node('Slice', [
    inputs[0]!.tensor,
    graph.integers([0, 0]),
    all,
    graph.integers([1, 2]),
    steps,
  ]);
  return graph.value(tensor, shapeBy(layer, inputs, tensor));
};

/** The matrix [to, from] that averages bin ⌊i from / to⌋ to ⌈(i + 1) from / to⌉ of an axis. */
function binMatrix(graph: Graph, to: number, from: Size): string {
  const size = graph.size(from);
  const times = (factors: number[]) => graph.node('Mul', [graph.integers(factors, [to, 1]), size]);
  const bins = Array.from({ length: to }, (_, i) => i);
  const start = graph.node('Div', [times(bins), graph.integers([to])]);
  const above = graph.node('Add', [times(bins.map((i) => i + 1)), graph.integers([to - 1])]);
  const end = graph.node('Div', [above, graph.integers([to])]);
  const pixel = graph.node('Unsqueeze', [wholeNumbers(graph, from), graph.integers([0])]);
  const inside = graph.node('And', [
    graph.node('GreaterOrEqual', [pixel, start]),
    graph.node('Less', [pixel, end]),
  ]);
  const count = graph.node('Cast', [graph.node('Sub', [end, start])], { to: 1 });
  return graph.node('Div', [graph.node('Cast', [inside], { to: 1 }), count]);
}

const adaptiveAveragePool: Converter = (layer, [x], graph) => {
  const { size } = configOf<{ size: [number, number] }>(layer);
  const matrices = size.map((to, i) => binMatrix(graph, to, x!.shape[i + 1]!)) as [string, string];
  return separable(graph, x!, matrices, size);
};

/** Converters of the layers of necks and heads, by class. */
export const headConverters: Record<string, Converter> = {
  E3vaConv: conv,
  E3vaAddResized: addResized,
  E3vaAddNearest: addNearest,
  E3vaBatchNorm: headBatchNorm,
  E3vaSubsample: subsample,
  E3vaAdaptiveAveragePool: adaptiveAveragePool,
};
