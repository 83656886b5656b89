import { type Converter, configOf } from '../converter.ts';
import type { Graph } from '../graph/graph.ts';
import { ceilQuotient, minus, quotient, type Size, times } from '../graph/size.ts';
import type { Value } from '../graph/value.ts';

type Sizes4 = [Size, Size, Size, Size];

/**
 * Patches of `size` × `size` positions gathered into channels, column by column of the patch; rows and columns that fill no patch
 * are cut off, or filled up with zeros.
 */
export function gatherPatches(graph: Graph, x: Value, size: number, edge: 'crop' | 'pad'): Value {
  const [batch, height, width, channels] = x.shape as [Size, Size, Size, number];
  const count = (n: Size) => (edge === 'crop' ? quotient(n, size) : ceilQuotient(n, size));
  const [rows, columns] = [count(height), count(width)];
  const whole = fitted(graph, x, [times(rows, size), times(columns, size)], edge);
  const strips = graph.reshape(whole, [times(batch, rows), size, times(columns, size), channels]);
  const turned = graph.transpose(strips, [0, 2, 1, 3]); // [batch * rows, x, y in the patch, c]
  const shape = [batch, rows, columns, size ** 2 * channels];
  return graph.value(graph.reshape(turned, shape), shape);
}

/** A map cut, or padded at the right and the bottom, to a height and a width. */
function fitted(graph: Graph, x: Value, [h, w]: [Size, Size], edge: 'crop' | 'pad'): string {
  const [, height, width] = x.shape as Sizes4;
  if (edge === 'pad') {
    const none = [0, 0] as const;
    return graph.pad(x.tensor, [none, [0, minus(h, height)], [0, minus(w, width)], none]);
  }
  const tall = minus(height, h) === 0 ? x.tensor : graph.slice(x.tensor, 1, 0, h);
  return minus(width, w) === 0 ? tall : graph.slice(tall, 2, 0, w);
}

const patchGather: Converter = (layer, [x], graph) =>
  gatherPatches(graph, x!, configOf<{ size: number }>(layer).size, 'pad');

/** Height and width in windows, and in tokens. */
function gridOf(map: Value, window: number) {
  const [rows, columns] = [ceilQuotient(map.shape[1]!, window), ceilQuotient(map.shape[2]!, window)];
  return { rows, columns, height: times(rows, window), width: times(columns, window) };
}

/** An axis rolled: what stands behind `at` first, then what stands in front of it. */
function rolled(graph: Graph, tensor: string, axis: number, at: Size, size: Size): string {
  const parts = [graph.slice(tensor, axis, at, size), graph.slice(tensor, axis, 0, at)];
  return graph.node('Concat', parts, { axis });
}

interface WindowConfig {
  window: number;
  shift: number;
}

/** A map padded to whole windows, rolled by -shift and cut into windows. */
const windowPartition: Converter = (layer, [x], graph) => {
  const { window, shift } = configOf<WindowConfig>(layer);
  const [batch, , , channels] = x!.shape as [Size, Size, Size, number];
  const { rows, columns, height, width } = gridOf(x!, window);
  let map = fitted(graph, x!, [height, width], 'pad');
  if (shift > 0) {
    map = rolled(graph, map, 1, shift, height);
    map = rolled(graph, map, 2, shift, width);
  }
  const strips = graph.reshape(map, [times(batch, rows), window, columns, window * channels]);
  const windows = graph.transpose(strips, [0, 2, 1, 3]); // [batch * rows, columns, y, x * c]
  const shape = [times(batch, rows, columns), window ** 2, channels];
  return graph.value(graph.reshape(windows, shape), shape);
};

/** Windows put back into a map of the size of another one. */
const windowReverse: Converter = (layer, [windows, map], graph) => {
  const { window, shift } = configOf<WindowConfig>(layer);
  const [batch, h, w] = map!.shape as Sizes4;
  const channels = windows!.shape[2] as number;
  const { rows, columns, height, width } = gridOf(map!, window);
  const grid = graph.reshape(windows!.tensor, [times(batch, rows), columns, window, window * channels]);
  const turned = graph.transpose(grid, [0, 2, 1, 3]); // [batch * rows, y, columns, x * c]
  let tensor = graph.reshape(turned, [batch, height, width, channels]);
  if (shift > 0) {
    tensor = rolled(graph, tensor, 1, minus(height, shift), height);
    tensor = rolled(graph, tensor, 2, minus(width, shift), width);
  }
  const whole = graph.value(tensor, [batch, height, width, channels]);
  return graph.value(fitted(graph, whole, [h, w], 'crop'), [batch, h, w, channels]);
};

/** Converters of Swin's windows and patches, by class. */
export const windowConverters: Record<string, Converter> = {
  E3vaPatchGather: patchGather,
  E3vaWindowPartition: windowPartition,
  E3vaWindowReverse: windowReverse,
};
