import type { LayersModel, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Layer } from './copy-layer.ts';

/** One application of a layer in a model: the layer, what it read, and what it made. */
export interface GraphNode {
  layer: Layer;
  inputs: SymbolicTensor[];
  outputs: SymbolicTensor[];
}

/** The node that made a symbolic tensor. */
export function nodeOf(tensor: SymbolicTensor): GraphNode {
  const node = tensor.sourceLayer.inboundNodes[tensor.nodeIndex]!;
  return { layer: tensor.sourceLayer, inputs: node.inputTensors, outputs: node.outputTensors };
}

/** Whether a symbolic tensor is the input of a model, not the result of a layer. */
function isModelInput(tensor: SymbolicTensor): boolean {
  return nodeOf(tensor).inputs.every((input) => input.id === tensor.id);
}

/** The nodes between `inputs` and `outputs`, each behind all that it reads. */
export function sortedNodes(inputs: SymbolicTensor[], outputs: SymbolicTensor[]): GraphNode[] {
  const done = new Set(inputs.map((t) => t.id));
  const nodes: GraphNode[] = [];
  // an explicit stack: models are deeper than the call stack may be
  const stack = outputs.map((tensor) => ({ tensor, ready: false })).reverse();
  while (stack.length > 0) {
    const { tensor, ready } = stack.pop()!;
    if (done.has(tensor.id)) continue;
    const node = nodeOf(tensor);
    if (ready || isModelInput(tensor)) {
      for (const output of node.outputs) done.add(output.id);
      nodes.push(node);
      continue;
    }
    stack.push({ tensor, ready: true });
    for (const input of [...node.inputs].reverse()) stack.push({ tensor: input, ready: false });
  }
  return nodes;
}

/** Ids of the symbolic tensors among `nodes` that depend on one of `sources` (the sources included). */
export function dependents(nodes: GraphNode[], sources: SymbolicTensor[]): Set<number> {
  const ids = new Set(sources.map((t) => t.id));
  for (const { inputs, outputs } of nodes) {
    if (inputs.some((t) => ids.has(t.id))) for (const output of outputs) ids.add(output.id);
  }
  return ids;
}

/** How often each symbolic tensor is read by `nodes`, by id. */
export function readerCounts(nodes: GraphNode[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const { inputs } of nodes) for (const t of inputs) counts.set(t.id, (counts.get(t.id) ?? 0) + 1);
  return counts;
}

/** Whether a layer normalises its input (LayerNormalization, BatchNormalization and the like). */
export function isNorm(layer: Layer): boolean {
  return /norm/i.test(layer.getClassName());
}

/** Image size that shapes are probed with where the model leaves it open; a multiple of every usual stride. */
const probeSize = 256;

/**
 * The shape of every symbolic tensor of a model for one image: of the model's own input size, or of 256 × 256 pixels
 * where that is open.
 *
 * @returns Shapes by the tensors' ids.
 */
export function probeShapes(model: LayersModel): Map<number, Shape> {
  const shapes = new Map<number, Shape>();
  for (const input of model.inputs) {
    shapes.set(input.id, [1, ...input.shape.slice(1).map((size) => size ?? probeSize)]);
  }
  for (const { layer, inputs, outputs } of sortedNodes(model.inputs, model.outputs)) {
    const given = inputs.map((t) => shapes.get(t.id)!);
    const result = layer.computeOutputShape(given.length === 1 ? given[0]! : given);
    const list = (Array.isArray(result[0]) ? result : [result]) as Shape[];
    outputs.forEach((t, i) => {
      shapes.set(t.id, list[i]!);
    });
  }
  return shapes;
}
