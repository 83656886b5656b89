import { computed } from '../graph/array.ts';
import type { Graph } from '../graph/graph.ts';
import { axisNumbers, floatSize, halfPixelPositions, linearMatrix, ratioOf } from '../graph/matrix.ts';
import type { Size } from '../graph/size.ts';

/**
 * The matrix [to, from] that brings an axis of a map to `ratio` times its stride: linear, or from twice the stride on the mean of
 * what a pixel of the result covers.
 */
export function strideMatrix(graph: Graph, to: Size, from: Size, ratio: number): string {
  const factor = graph.float(ratio);
  if (ratio < 2) return linearMatrix(graph, halfPixelPositions(graph, to, factor, from), from);
  const start = graph.node('Mul', [axisNumbers(graph, to, 'out'), factor]);
  const end = graph.node('Min', [graph.node('Add', [start, factor]), floatSize(graph, from)]);
  const pixel = axisNumbers(graph, from, 'in');
  const right = graph.node('Min', [end, graph.node('Add', [pixel, graph.float(1)])]);
  const covered = graph.node('Relu', [graph.node('Sub', [right, graph.node('Max', [start, pixel])])]);
  return graph.node('Div', [covered, graph.node('Sub', [end, start])]);
}

/**
 * The matrix [to, from] of bicubic resizing of an axis, half-pixel centres; without antialiasing the edge pixels are repeated, with it
 * the kernel is as wide as the step and cut off at the edges.
 */
export function cubicMatrix(graph: Graph, to: Size, from: number, antialias: boolean): string {
  const ratio = ratioOf(graph, from, to);
  const positions = halfPixelPositions(graph, to, ratio);
  if (!antialias) return repeatedEdges(graph, positions, from);
  const scale = graph.node('Max', [ratio, graph.float(1)]);
  const distance = graph.node('Sub', [axisNumbers(graph, from, 'in'), positions]);
  const weights = cubic(graph, graph.node('Div', [distance, scale]), -0.5);
  return graph.node('Div', [weights, graph.reduce('Sum', weights, [1], true)]);
}

/** The kernel over an axis with two more pixels at each end, whose weights the outer pixels get. */
function repeatedEdges(graph: Graph, positions: string, from: number): string {
  const pixels = graph.floats(
    Array.from({ length: from + 4 }, (_, i) => i - 2),
    [1, from + 4],
  );
  const weights = cubic(graph, graph.node('Sub', [positions, pixels]), -0.75);
  const fold = computed(`edges${from}`, [], [from + 4, from], () => {
    const matrix = new Float32Array((from + 4) * from);
    for (let i = 0; i < from + 4; i++) matrix[i * from + Math.min(from - 1, Math.max(0, i - 2))] = 1;
    return matrix;
  });
  return graph.node('MatMul', [weights, graph.weight(fold)]);
}

/** Keys's cubic kernel of a distance, by Horner's rule: one polynomial up to 1, one up to 2, and nothing beyond. */
function cubic(graph: Graph, distance: string, a: number): string {
  const x = graph.node('Abs', [distance]);
  const polynomial = (...coefficients: number[]) =>
    coefficients
      .slice(1)
      .reduce(
        (sum, c) => graph.node('Add', [graph.node('Mul', [sum, x]), graph.float(c)]),
        graph.float(coefficients[0]!),
      );
  const inner = polynomial(a + 2, -(a + 3), 0, 1);
  const outer = polynomial(a, -5 * a, 8 * a, -4 * a);
  const beyond = graph.node('Where', [graph.node('Less', [x, graph.float(2)]), outer, graph.float(0)]);
  return graph.node('Where', [graph.node('LessOrEqual', [x, graph.float(1)]), inner, beyond]);
}
