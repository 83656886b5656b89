import type { Graph } from './graph.ts';
import { type Size, times } from './size.ts';
import type { Value } from './value.ts';

/** A size as a number of float32. */
export const floatSize = (graph: Graph, size: Size): string =>
  typeof size === 'number' ? graph.float(size) : graph.node('Cast', [graph.size(size)], { to: 1 });

/** The whole numbers from 0 to below a size, int64. */
export function wholeNumbers(graph: Graph, size: Size): string {
  if (typeof size === 'number') return graph.integers(Array.from({ length: size }, (_, i) => i));
  const scalar = graph.node('Squeeze', [graph.size(size)]);
  return graph.node('Range', [graph.integers([0], []), scalar, graph.integers([1], [])]);
}

/** The numbers from 0 to below a size as float32: [size, 1] of an axis that comes out, [1, size] of one that goes in. */
export function axisNumbers(graph: Graph, size: Size, which: 'out' | 'in'): string {
  const numbers = graph.node('Cast', [wholeNumbers(graph, size)], { to: 1 });
  return graph.node('Unsqueeze', [numbers, graph.integers([which === 'out' ? 1 : 0])]);
}

/** The matrix that interpolates linearly at positions [to, 1] of an axis of a size: 1 - |position - i|, at least 0. */
export function linearMatrix(graph: Graph, positions: string, from: Size): string {
  const distance = graph.node('Abs', [graph.node('Sub', [positions, axisNumbers(graph, from, 'in')])]);
  return graph.node('Relu', [graph.node('Sub', [graph.float(1), distance])]);
}

/** Positions [to, 1] in an axis of `from` pixels: (i + 1/2) ratio - 1/2, and not beyond the outer pixels where that is asked for. */
export function halfPixelPositions(graph: Graph, to: Size, ratio: string, within?: Size): string {
  const centres = graph.node('Add', [axisNumbers(graph, to, 'out'), graph.float(0.5)]);
  const positions = graph.node('Sub', [graph.node('Mul', [centres, ratio]), graph.float(0.5)]);
  if (within === undefined) return positions;
  const last = graph.node('Sub', [floatSize(graph, within), graph.float(1)]);
  return graph.node('Min', [graph.node('Relu', [positions]), last]);
}

/** from / to as a number. */
export const ratioOf = (graph: Graph, from: Size, to: Size): string =>
  graph.node('Div', [floatSize(graph, from), floatSize(graph, to)]);

/** The matrix [to, from] of bilinear resizing with half-pixel centres. */
function resizeMatrix(graph: Graph, to: Size, from: Size): string {
  return linearMatrix(graph, halfPixelPositions(graph, to, ratioOf(graph, from, to), from), from);
}

/** A map whose rows and columns are mixed by matrices [height', height] and [width', width]. */
export function separable(
  graph: Graph,
  x: Value,
  [rows, columns]: readonly [string, string],
  [height, width]: readonly [Size, Size],
): Value {
  const [batch, h, w, channels] = x.shape as [Size, Size, Size, Size];
  const flat = graph.reshape(x.tensor, [batch, h, times(w, channels)]);
  const tall = graph.reshape(graph.node('MatMul', [rows, flat]), [batch, height, w, channels]);
  return graph.value(graph.node('MatMul', [columns, tall]), [batch, height, width, channels]);
}

/** A map resized (bilinear, half-pixel centres). */
export function resizeBilinear(graph: Graph, x: Value, size: readonly [Size, Size]): Value {
  const matrices = [1, 2].map((axis) => resizeMatrix(graph, size[axis - 1]!, x.shape[axis]!));
  return separable(graph, x, matrices as [string, string], size);
}

/** ⌊i · from / to⌋ for every i below `to`, int64: the pixels that are repeated when an axis grows. */
export function nearestRows(graph: Graph, to: Size, from: Size): string {
  const scaled = graph.node('Mul', [wholeNumbers(graph, to), graph.size(from)]);
  return graph.node('Div', [scaled, graph.size(to)]);
}
