import type { Graph } from './graph.ts';
import type { Size } from './size.ts';

/** Queries, keys and values, [rows, heads, tokens, depth] each. */
export type Heads = [q: string, k: string, v: string];

interface AttentionSizes {
  rows: Size;
  tokens: Size;
  heads: number;
  depth: number;
}

/** [rows, tokens, 3 · heads · depth] apart: queries, keys and values. */
export function splitHeads(graph: Graph, qkv: string, sizes: AttentionSizes): Heads {
  const { rows, tokens, heads, depth } = sizes;
  const apart = graph.reshape(qkv, [rows, tokens, 3, heads, depth]);
  const byPart = graph.transpose(apart, [2, 0, 3, 1, 4]); // [3, rows, heads, tokens, depth]
  const parts = graph.nodeWith(3, 'Split', [byPart, graph.integers([1, 1, 1])], { axis: 0 });
  return parts.map((part) => graph.reshape(part, [rows, heads, tokens, depth])) as Heads;
}

/** softmax(q kᵀ + offsets) v, back as [rows, tokens, heads · depth]. */
export function attend(
  graph: Graph,
  [q, k, v]: Heads,
  { rows, tokens, heads, depth }: AttentionSizes,
  offset: (scores: string) => string = (scores) => scores,
): string {
  const scores = graph.node('MatMul', [q, graph.transpose(k, [0, 1, 3, 2])]); // [rows, heads, tokens, tokens]
  const weights = graph.node('Softmax', [offset(scores)], { axis: -1 });
  const mixed = graph.node('MatMul', [weights, v]);
  const together = graph.transpose(mixed, [0, 2, 1, 3]);
  return graph.reshape(together, [rows, tokens, heads * depth]);
}

/** Adds what differs between the windows of one image, [windows, heads, tokens, tokens], to the scores of all images' windows. */
export function addByWindow(
  graph: Graph,
  scores: string,
  offsets: string,
  { rows, tokens, heads }: AttentionSizes,
  [images, windows]: readonly [Size, Size],
): string {
  const apart = graph.reshape(scores, [images, windows, heads, tokens, tokens]);
  return graph.reshape(graph.node('Add', [apart, offsets]), [rows, heads, tokens, tokens]);
}

/** The queries times 1 / √depth. */
export const scaledQueries = (graph: Graph, [q, k, v]: Heads, depth: number): Heads => [
  graph.node('Mul', [q, graph.float(depth ** -0.5)]),
  k,
  v,
];
