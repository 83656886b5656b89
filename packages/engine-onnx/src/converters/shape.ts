import { type Converter, configOf, shapeBy } from '../converter.ts';
import { minus, plus, quotient, type Size, times } from '../graph/size.ts';
import { needChannelsLast } from './conv.ts';

/** What does nothing outside training. */
const identity: Converter = (_, [x]) => x!;

const flatten: Converter = (layer, [x], graph) => {
  needChannelsLast(layer);
  const shape = [x!.shape[0]!, times(...x!.shape.slice(1))];
  return graph.value(graph.reshape(x!.tensor, shape), shape);
};

const reshape: Converter = (layer, [x], graph) => {
  const { targetShape } = configOf<{ targetShape: (number | null)[] }>(layer);
  const isOpen = (n: number | null) => n === null || n < 0;
  const known = targetShape.reduce<number>((all, n) => (isOpen(n) ? all : all * n!), 1);
  const rest = quotient(times(...x!.shape.slice(1)), known);
  const shape = [x!.shape[0]!, ...targetShape.map((n): Size => (isOpen(n) ? rest : n!))];
  return graph.value(graph.reshape(x!.tensor, shape), shape);
};

const permute: Converter = (layer, [x], graph) => {
  const order = [0, ...configOf<{ dims: number[] }>(layer).dims];
  return graph.value(
    graph.transpose(x!.tensor, order),
    order.map((axis) => x!.shape[axis]!),
  );
};

const repeatVector: Converter = (layer, inputs, graph) => {
  const { n } = configOf<{ n: number }>(layer);
  const column = graph.node('Unsqueeze', [inputs[0]!.tensor, graph.integers([1])]);
  const tensor = graph.node('Tile', [column, graph.integers([1, n, 1])]);
  return graph.value(tensor, shapeBy(layer, inputs, tensor));
};

type Border = [[number, number], [number, number]];

const zeroPadding2d: Converter = (layer, [x], graph) => {
  needChannelsLast(layer);
  const [rows, columns] = configOf<{ padding: Border }>(layer).padding;
  const none = [0, 0] as const;
  const [batch, height, width, channels] = x!.shape as [Size, Size, Size, Size];
  const shape = [batch, plus(height, rows[0] + rows[1]), plus(width, columns[0] + columns[1]), channels];
  if (!x!.isChannelsFirst) {
    return graph.value(graph.pad(x!.tensor, [none, rows, columns, none]), shape);
  }
  return graph.channelsFirst(graph.pad(x!.channelsFirst, [none, none, rows, columns]), shape);
};

const cropping2d: Converter = (layer, [x], graph) => {
  needChannelsLast(layer);
  const { cropping } = configOf<{ cropping: Border }>(layer);
  let tensor = x!.tensor;
  const shape = [...x!.shape];
  cropping.forEach(([before, after], i) => {
    const size = shape[i + 1]!;
    tensor = graph.slice(tensor, i + 1, before, minus(size, after));
    shape[i + 1] = minus(size, before + after);
  });
  return graph.value(tensor, shape);
};

/** Converters of what moves entries or does nothing, by class. */
export const shapeConverters: Record<string, Converter> = {
  Dropout: identity,
  SpatialDropout1D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  E3vaDropPath: identity,
  E3vaChannelDropout: identity,
  Flatten: flatten,
  Reshape: reshape,
  Permute: permute,
  RepeatVector: repeatVector,
  ZeroPadding2D: zeroPadding2d,
  Cropping2D: cropping2d,
};
