import type { LayersModel, Shape, SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type GraphNode, probeShapes, sortedNodes } from './graph.ts';
import { strideOf } from './level.ts';
import { TapError } from './taps.ts';

/** The graph of a model with the shapes of its tensors for one image, and what can be told of its maps from them. */
export class MapGraph {
  readonly nodes: GraphNode[];
  /** The tensors that every way to the deepest output passes through: where one block ends and the next begins. */
  readonly cuts: SymbolicTensor[];
  private readonly shapes: Map<number, Shape>;
  private readonly places: Map<number, number>;
  private readonly readers: Map<number, GraphNode[]>;
  private readonly height: number;

  constructor(model: LayersModel) {
    this.nodes = sortedNodes([], model.outputs);
    this.shapes = probeShapes(model);
    const tensors = this.nodes.flatMap(({ outputs }) => outputs);
    this.places = new Map(tensors.map((t, i) => [t.id, i]));
    this.readers = readersOf(this.nodes);
    this.cuts = cutsBefore(model.outputs);
    this.height = this.shapes.get(model.inputs[0]!.id)![1] ?? 1;
  }

  /** [height, width, channels] of a map, or the shape of any other tensor; without the batch. */
  shapeOf(t: SymbolicTensor): number[] {
    return this.shapes.get(t.id)!.slice(1) as number[];
  }

  /** How many values a tensor has for one image. */
  sizeOf(t: SymbolicTensor): number {
    return this.shapeOf(t).reduce((n, size) => n * size, 1);
  }

  /** Whether a tensor is a map [batch, height, width, channels] of more than one pixel. */
  isMap(t: SymbolicTensor): boolean {
    const [height, width] = this.shapeOf(t);
    return t.shape.length === 4 && height! * width! > 1;
  }

  /** How many image pixels lie between two pixels of a map. */
  strideOf(t: SymbolicTensor): number {
    return strideOf(this.height, this.shapeOf(t)[0]!);
  }

  /** Tensors in the order of the graph, each once. */
  inOrder(tensors: SymbolicTensor[]): SymbolicTensor[] {
    const unique = new Map(tensors.map((t) => [t.id, t]));
    return [...unique.values()].sort((a, b) => this.places.get(a.id)! - this.places.get(b.id)!);
  }

  /** The nodes that read a tensor. */
  readersOf(t: SymbolicTensor): GraphNode[] {
    return this.readers.get(t.id) ?? [];
  }
}

function readersOf(nodes: GraphNode[]): Map<number, GraphNode[]> {
  const readers = new Map<number, GraphNode[]>();
  for (const node of nodes) {
    for (const t of node.inputs) readers.set(t.id, [...(readers.get(t.id) ?? []), node]);
  }
  return readers;
}

function cutsBefore(outputs: SymbolicTensor[]): SymbolicTensor[] {
  const graphs = outputs.map((output) => sortedNodes([], [output]));
  const nodes = graphs.reduce((longest, graph) => (graph.length > longest.length ? graph : longest));
  const lastReader = new Map<number, number>();
  nodes.forEach(({ inputs, outputs }, i) => {
    for (const t of [...inputs, ...outputs]) lastReader.set(t.id, i);
  });
  const cuts: SymbolicTensor[] = [];
  let open = 0; // the furthest place where something made so far is still read
  nodes.forEach(({ outputs }, i) => {
    if (open <= i && outputs.length === 1) cuts.push(outputs[0]!);
    for (const t of outputs) open = Math.max(open, lastReader.get(t.id)!);
  });
  return cuts;
}

/** @throws TapError if the model's maps are [batch, channels, height, width]: adapters read the channels last. */
export function checkChannelsLast(model: LayersModel): void {
  const first = model.layers.find((layer) => layer.getConfig().dataFormat === 'channelsFirst');
  if (!first) return;
  throw new TapError({
    what: `layer '${first.name}' of model '${model.name}' reads maps with the channels first`,
    expected: 'maps [batch, height, width, channels]',
    received: "dataFormat: 'channelsFirst'",
    fix: 'use the base in its form with the channels last',
  });
}
