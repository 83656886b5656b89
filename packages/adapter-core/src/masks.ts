import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { GraphNode } from './graph.ts';

/** Ids of the tensors among `nodes` that carry a mask: from Masking or Embedding({ maskZero }), handed on by layers. */
export function maskedTensors(nodes: GraphNode[]): Set<number> {
  const masked = new Set<number>();
  for (const { layer, inputs, outputs } of nodes) {
    const starts = layer.getClassName() === 'Masking' || layer.getConfig().maskZero === true;
    const passes = layer.supportsMasking && inputs.some((t) => masked.has(t.id));
    // a single vector for a sequence has no steps left to be masked
    for (const t of outputs) if ((starts || passes) && t.shape.length > (starts ? 1 : 2)) masked.add(t.id);
  }
  return masked;
}

/** Whether a layer computes something else where its input is masked. */
export const readsMask = ({ layer }: GraphNode, masked: ReadonlySet<number>, inputs: SymbolicTensor[]) =>
  inputs.some((t) => masked.has(t.id)) &&
  /RNN|LSTM|GRU|Bidirectional|TimeDistributed|Attention|Softmax|Sequential|Model|Functional/.test(
    layer.getClassName(),
  );
