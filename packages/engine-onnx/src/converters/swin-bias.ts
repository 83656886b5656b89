import { computed, type WeightArray } from '../graph/array.ts';
import type { Graph } from '../graph/graph.ts';
import { wholeNumbers } from '../graph/matrix.ts';
import { ceilQuotient, minus, type Size, times } from '../graph/size.ts';
import type { Value } from '../graph/value.ts';

/** What the score of two tokens of different regions receives. */
const masked = -100;

/** A table [(2 window - 1)², heads] of relative positions, read for each pair of tokens: [heads, window², window²]. */
function readTable(table: Float32Array, heads: number, window: number): Float32Array {
  const [tokens, span] = [window ** 2, 2 * window - 1];
  const out = new Float32Array(heads * tokens ** 2);
  for (let a = 0; a < tokens; a++) {
    for (let b = 0; b < tokens; b++) {
      const dy = Math.floor(a / window) - Math.floor(b / window) + window - 1;
      const dx = (a % window) - (b % window) + window - 1;
      for (let h = 0; h < heads; h++) {
        out[(h * tokens + a) * tokens + b] = table[(dy * span + dx) * heads + h]!;
      }
    }
  }
  return out;
}

/** The bias of relative positions of Swin, [heads, window², window²]. */
export function tableBias(table: WeightArray, window: number): WeightArray {
  const heads = table.dims[1]!;
  const dims = [heads, window ** 2, window ** 2];
  return computed(`bias${window}`, [table], dims, (data) => readTable(data!, heads, window));
}

/** The continuous bias of Swin V2, [heads, window², window²]: 16 · sigmoid(ReLU(d · hidden + bias) · out), d log-spaced. */
export function continuousBias(
  network: readonly [hidden: WeightArray, bias: WeightArray, out: WeightArray],
  window: number,
  pretrained: number,
): WeightArray {
  const heads = network[2].dims[1]!;
  const dims = [heads, window ** 2, window ** 2];
  return computed(`continuous${window},${pretrained}`, network, dims, (hidden, bias, out) =>
    readTable(continuousTable([hidden!, bias!, out!], heads, window, pretrained), heads, window),
  );
}

function continuousTable(
  [hidden, bias, out]: [Float32Array, Float32Array, Float32Array],
  heads: number,
  window: number,
  pretrained: number,
): Float32Array {
  const [span, units] = [2 * window - 1, bias.length];
  const axis = Array.from({ length: span }, (_, i) => {
    const distance = (8 * (i - window + 1)) / Math.max(pretrained - 1, 1);
    return (Math.sign(distance) * Math.log2(1 + Math.abs(distance))) / 3;
  });
  const table = new Float32Array(span ** 2 * heads);
  const scores = new Float64Array(heads);
  for (let row = 0; row < span ** 2; row++) {
    const [dy, dx] = [axis[Math.floor(row / span)]!, axis[row % span]!];
    scores.fill(0);
    for (let u = 0; u < units; u++) {
      const unit = Math.max(0, dy * hidden[u]! + dx * hidden[units + u]! + bias[u]!);
      for (let h = 0; h < heads; h++) scores[h]! += unit * out[u * heads + h]!;
    }
    scores.forEach((score, h) => {
      table[row * heads + h] = 16 / (1 + Math.exp(-score));
    });
  }
  return table;
}

/**
 * What is added to the scores of shifted windows, [windows of one image, heads, tokens, tokens]: the bias, and -100 where the roll
 * brought two regions of the map together. There are four kinds of windows: in the last row or not, in the last column or not.
 */
export function maskedBias(
  graph: Graph,
  bias: WeightArray,
  map: Value,
  { window, shift }: { window: number; shift: number },
): string {
  const kinds = [false, true].flatMap((bottom) =>
    [false, true].flatMap((right) => regionMask(window, shift, bottom, right)),
  );
  const tokens = window ** 2;
  const masks = computed(`masks${window},${shift}`, [], [4, 1, tokens, tokens], () =>
    Float32Array.from(kinds),
  );
  const all = graph.node('Add', [graph.weight(bias), graph.weight(masks)]); // [4, heads, tokens, tokens]
  const [rows, columns] = [ceilQuotient(map.shape[1]!, window), ceilQuotient(map.shape[2]!, window)];
  return graph.node('Gather', [all, windowKinds(graph, rows, columns)]);
}

/** The kind of each window, row by row: 2 in the last row, and 1 more in the last column. */
function windowKinds(graph: Graph, rows: Size, columns: Size): string {
  const last = (size: Size, axis: number) => {
    const isLast = graph.node('Equal', [wholeNumbers(graph, size), graph.size(minus(size, 1))]);
    return graph.node('Unsqueeze', [graph.node('Cast', [isLast], { to: 7 }), graph.integers([axis])]);
  };
  const twice = graph.node('Mul', [last(rows, 1), graph.integers([2])]);
  return graph.reshape(graph.node('Add', [twice, last(columns, 0)]), [times(rows, columns)]);
}

/** The mask of one window whose rows (`bottom`) or columns (`right`) are split by the edge of the rolled map. */
function regionMask(window: number, shift: number, bottom: boolean, right: boolean): number[] {
  const edge = window - shift;
  const regions = Array.from({ length: window ** 2 }, (_, token) => {
    const below = bottom && Math.floor(token / window) >= edge;
    const beyond = right && token % window >= edge;
    return (below ? 2 : 0) + (beyond ? 1 : 0);
  });
  return regions.flatMap((a) => regions.map((b) => (a === b ? 0 : masked)));
}
