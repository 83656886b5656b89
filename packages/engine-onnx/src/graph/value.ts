import type { Graph } from './graph.ts';
import type { Size } from './size.ts';

/**
 * What a layer gives, in the graph. Its shape and axes are those of the layer, for maps [batch, height, width, channels]; a map may
 * exist with the channels first instead, as ONNX's convolutions want it. The other form is made when somebody asks for it.
 */
export class Value {
  readonly shape: readonly Size[];
  private readonly graph: Graph;
  private last: string | undefined;
  private first: string | undefined;

  constructor(graph: Graph, tensor: string, shape: readonly Size[], channels: 'first' | 'last' = 'last') {
    this.graph = graph;
    this.shape = shape;
    if (channels === 'first') this.first = tensor;
    else this.last = tensor;
  }

  /** Whether it exists with the channels first, and not with the channels last. */
  get isChannelsFirst(): boolean {
    return this.last === undefined;
  }

  /** The tensor with the layer's own axes. */
  get tensor(): string {
    this.last ??= this.graph.transpose(this.first!, [0, 2, 3, 1]);
    return this.last;
  }

  /** The tensor of a map with its channels behind the batch. */
  get channelsFirst(): string {
    this.first ??= this.graph.transpose(this.last!, [0, 3, 1, 2]);
    return this.first;
  }
}
