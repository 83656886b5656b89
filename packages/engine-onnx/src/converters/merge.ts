import { type Converter, configOf, unsupported } from '../converter.ts';
import type { Graph } from '../graph/graph.ts';
import { plus, type Size, sameSize } from '../graph/size.ts';
import type { Value } from '../graph/value.ts';

/** Values of one rank: axes of size 1 are put behind the batch, as tfjs-layers does it. */
function alike(graph: Graph, inputs: Value[]): Value[] {
  const rank = Math.max(...inputs.map(({ shape }) => shape.length));
  return inputs.map((x) => {
    const missing = rank - x.shape.length;
    if (missing === 0) return x;
    const axes = Array.from({ length: missing }, (_, i) => 1 + i);
    const tensor = graph.node('Unsqueeze', [x.tensor, graph.integers(axes)]);
    return graph.value(tensor, [x.shape[0]!, ...axes.map(() => 1), ...x.shape.slice(1)]);
  });
}

/** The size of an axis of what is computed entry by entry; a size of 1 is repeated. */
function joined(a: Size, b: Size): Size {
  if (a === 1 || sameSize(a, b)) return b;
  return typeof b === 'number' && b > 1 ? b : a;
}

/** The tensors of several values in one form: channels first if all of them are so. */
function together(
  graph: Graph,
  inputs: Value[],
  compute: (tensors: string[]) => string,
  shape: Size[],
): Value {
  return inputs.every((x) => x.isChannelsFirst)
    ? graph.channelsFirst(compute(inputs.map((x) => x.channelsFirst)), shape)
    : graph.value(compute(inputs.map((x) => x.tensor)), shape);
}

type Fold = (graph: Graph, tensors: string[]) => string;

/** One operation after the other, in the order of the inputs. */
const inOrder =
  (type: string): Fold =>
  (graph, tensors) =>
    tensors.reduce((a, b) => graph.node(type, [a, b]));

const average: Fold = (graph, tensors) =>
  graph.node('Mul', [inOrder('Add')(graph, tensors), graph.float(1 / tensors.length)]);

const entrywise =
  (fold: Fold): Converter =>
  (_, given, graph) => {
    const inputs = alike(graph, given);
    const shape = inputs.map((x) => [...x.shape]).reduce((a, b) => a.map((size, i) => joined(size, b[i]!)));
    return together(graph, inputs, (tensors) => fold(graph, tensors), shape);
  };

const concatenate: Converter = (layer, inputs, graph) => {
  const { axis } = configOf<{ axis: number }>(layer);
  const rank = inputs[0]!.shape.length;
  const along = axis < 0 ? axis + rank : axis;
  const shape = [...inputs[0]!.shape];
  shape[along] = inputs.map((x) => x.shape[along]!).reduce(plus);
  const first = inputs.every((x) => x.isChannelsFirst);
  const place = first ? [0, 2, 3, 1][along]! : along;
  return together(graph, inputs, (tensors) => graph.node('Concat', tensors, { axis: place }), shape);
};

/** Products of matrices, or of vectors, for each entry of the batch. */
const dot: Converter = (layer, inputs, graph) => {
  const { axes, normalize } = configOf<{ axes: number | [number, number]; normalize?: boolean }>(layer);
  const [a, b] = inputs as [Value, Value];
  const rank = a.shape.length;
  const [i, j] = [axes, axes].map((given, k) => {
    const axis = Array.isArray(given) ? given[k]! : given;
    return axis < 0 ? axis + rank : axis;
  }) as [number, number];
  if (normalize || b.shape.length !== rank || rank > 3 || i === 0 || j === 0) {
    const received = `shapes of rank ${rank} and ${b.shape.length}, axes ${axes}, normalize ${Boolean(normalize)}`;
    throw unsupported(layer, 'two inputs of rank 2 or of rank 3, without normalisation', received);
  }
  if (rank === 2) {
    const sum = graph.reduce('Sum', graph.node('Mul', [a.tensor, b.tensor]), [1], true);
    return graph.value(sum, [a.shape[0]!, 1]);
  }
  const left = i === 2 ? a.tensor : graph.transpose(a.tensor, [0, 2, 1]);
  const right = j === 1 ? b.tensor : graph.transpose(b.tensor, [0, 2, 1]);
  return graph.value(graph.node('MatMul', [left, right]), [a.shape[0]!, a.shape[3 - i]!, b.shape[3 - j]!]);
};

/** The second input minus the first. */
const streamChange: Converter = (_, inputs, graph) =>
  together(graph, inputs, ([before, after]) => graph.node('Sub', [after!, before!]), [...inputs[0]!.shape]);

/** Converters of layers with several inputs, by class. */
export const mergeConverters: Record<string, Converter> = {
  Add: entrywise(inOrder('Add')),
  Multiply: entrywise(inOrder('Mul')),
  Maximum: entrywise(inOrder('Max')),
  Minimum: entrywise(inOrder('Min')),
  Average: entrywise(average),
  Concatenate: concatenate,
  Dot: dot,
  E3vaStreamChange: streamChange,
};
