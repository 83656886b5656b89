import { type Converter, configOf, neededWeight, weightOf } from '../converter.ts';
import { gelu } from '../graph/activation.ts';
import { computed, type WeightArray } from '../graph/array.ts';
import { attend, scaledQueries, splitHeads } from '../graph/attention.ts';
import type { Graph } from '../graph/graph.ts';
import { separable } from '../graph/matrix.ts';
import { ceilQuotient, plus, type Size, times } from '../graph/size.ts';
import { cubicMatrix, strideMatrix } from './resampling.ts';
import { gatherPatches } from './windows.ts';

const scale: Converter = (layer, [x], graph) => {
  const gamma = graph.weight(neededWeight(layer, 'gamma'));
  return graph.value(graph.node('Mul', [x!.tensor, gamma]), x!.shape);
};

const geluLayer: Converter = (_, [x], graph) => graph.map(x!, (tensor) => gelu(graph, tensor));

const patchConv: Converter = (layer, [x], graph) => {
  const { size, edge } = configOf<{ size: number; edge: 'crop' | 'pad' }>(layer);
  const patches = gatherPatches(graph, x!, size, edge);
  const kernel = neededWeight(layer, 'kernel');
  const y = graph.affine(patches.tensor, kernel, neededWeight(layer, 'bias'));
  return graph.value(y, [...patches.shape.slice(0, 3), kernel.dims[1]!]);
};

const upConv: Converter = (layer, [x], graph) => {
  const [batch, height, width] = x!.shape as [Size, Size, Size];
  const kernel = neededWeight(layer, 'kernel');
  const filters = kernel.dims[1]! / 4;
  const product = graph.matMul(x!.tensor, kernel);
  const squares = graph.reshape(product, [times(batch, height), width, 2, 2 * filters]);
  const rows = graph.transpose(squares, [0, 2, 1, 3]); // [batch * height, row of the square, width, 2 filters]
  const shape = [batch, times(height, 2), times(width, 2), filters];
  const bias = graph.weight(neededWeight(layer, 'bias'));
  return graph.value(graph.node('Add', [graph.reshape(rows, shape), bias]), shape);
};

const selfAttention: Converter = (layer, [qkv], graph) => {
  const { heads } = configOf<{ heads: number }>(layer);
  const [rows, tokens, triple] = qkv!.shape as [Size, Size, number];
  const sizes = { rows, tokens, heads, depth: triple / 3 / heads };
  const split = scaledQueries(graph, splitHeads(graph, qkv!.tensor, sizes), sizes.depth);
  return graph.value(attend(graph, split, sizes), [rows, tokens, triple / 3]);
};

/** Rows of a weight [rows, channels]. */
function rowsOf(weight: WeightArray, start: number, end: number): WeightArray {
  const channels = weight.dims[1]!;
  return computed(`rows${start}:${end}`, [weight], [end - start, channels], (data) =>
    data!.slice(start * channels, end * channels),
  );
}

interface TokenEmbeddingConfig {
  grid: number;
  registers: number;
  antialias: boolean;
}

const tokenEmbedding: Converter = (layer, [x], graph) => {
  const { grid, registers, antialias } = configOf<TokenEmbeddingConfig>(layer);
  const [batch, height, width, channels] = x!.shape as [Size, Size, Size, number];
  const positions = neededWeight(layer, 'position_embeddings');
  const ofPatches = rowsOf(positions, 1, 1 + grid ** 2);
  const added = resizedPositions(graph, ofPatches, { grid, size: [height, width], antialias });
  const patches = graph.reshape(x!.tensor, [batch, times(height, width), channels]);
  const classToken = computed('class', [positions, neededWeight(layer, 'cls_token')], [1, channels], (p, c) =>
    c!.map((value, i) => value + p![i]!),
  );
  const tokens = weightOf(layer, 'register_tokens');
  const first = [classToken, ...(tokens ? [tokens] : [])].map((rows) => {
    const shape = graph.sizes([batch, rows.dims[0]!, channels]);
    return graph.node('Expand', [graph.weight(rows), shape]);
  });
  const all = graph.node('Concat', [...first, graph.node('Add', [patches, added])], { axis: 1 });
  return graph.value(all, [batch, plus(times(height, width), 1 + registers), channels]);
};

/** Positions [grid², channels] resized (bicubic) to another grid: [height * width, channels]. */
function resizedPositions(
  graph: Graph,
  positions: WeightArray,
  { grid, size, antialias }: { grid: number; size: [Size, Size]; antialias: boolean },
): string {
  const tensor = graph.weight(positions);
  const [height, width] = size;
  if (height === grid && width === grid) return tensor;
  const channels = positions.dims[1]!;
  const map = graph.value(graph.reshape(tensor, [1, grid, grid, channels]), [1, grid, grid, channels]);
  const matrices = size.map((to) => cubicMatrix(graph, to, grid, antialias)) as [string, string];
  const resized = separable(graph, map, matrices, size);
  return graph.reshape(resized.tensor, [times(height, width), channels]);
}

const tokenMap: Converter = (layer, [tokens, images], graph) => {
  const { patch, skip } = configOf<{ patch: number; skip: number }>(layer);
  const [height, width] = [1, 2].map((axis) => ceilQuotient(images!.shape[axis]!, patch));
  const shape = [images!.shape[0]!, height!, width!, tokens!.shape[2]!];
  const rest = graph.slice(tokens!.tensor, 1, skip, plus(times(height!, width!), skip));
  return graph.value(graph.reshape(rest, shape), shape);
};

const resample: Converter = (layer, [map, images], graph) => {
  const { from, to } = configOf<{ from: number; to: number }>(layer);
  if (from === to) return map!;
  const size = [1, 2].map((axis) => ceilQuotient(images!.shape[axis]!, to)) as [Size, Size];
  const matrices = size.map((n, i) => strideMatrix(graph, n, map!.shape[i + 1]!, to / from));
  return separable(graph, map!, matrices as [string, string], size);
};

/** Converters of ConvNeXt's and ViT's layers, by class. */
export const backboneConverters: Record<string, Converter> = {
  E3vaScale: scale,
  E3vaGelu: geluLayer,
  E3vaPatchConv: patchConv,
  E3vaUpConv: upConv,
  E3vaSelfAttention: selfAttention,
  E3vaTokenEmbedding: tokenEmbedding,
  E3vaTokenMap: tokenMap,
  E3vaResample: resample,
};
