import { input, type LayersModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { sortedNodes } from '../graph.ts';

/** The inputs of a highway, each carrying a tensor of the base; made as they are asked for. */
export class HighwayInputs {
  /** Place of each of the base's tensors, by id: behind all that it depends on. */
  readonly order: ReadonlyMap<number, number>;
  private readonly entries = new Map<number, { source: SymbolicTensor; input: SymbolicTensor }>();

  constructor(base: LayersModel) {
    const tensors = sortedNodes([], base.outputs).flatMap(({ outputs }) => outputs);
    this.order = new Map(tensors.map((t, i) => [t.id, i]));
  }

  /** The input that carries a tensor of the base. */
  of(source: SymbolicTensor): SymbolicTensor {
    const known = this.entries.get(source.id);
    if (known) return known.input;
    const made = input({ shape: source.shape.slice(1), dtype: source.dtype, name: this.nameOf(source) });
    this.entries.set(source.id, { source, input: made });
    return made;
  }

  /** After the layer, with a number where the layer is used more than once or has several outputs. */
  private nameOf({ sourceLayer, nodeIndex, tensorIndex }: SymbolicTensor): string {
    const suffix = [nodeIndex, tensorIndex].filter((index) => index > 0).join('.');
    return `from.${sourceLayer.name}${suffix && `.${suffix}`}`;
  }

  /** The tensors of the base and the inputs that carry them, both in the order of the base. */
  sorted(): { sources: SymbolicTensor[]; inputs: SymbolicTensor[] } {
    const place = ({ source }: { source: SymbolicTensor }) => this.order.get(source.id)!;
    const entries = [...this.entries.values()].sort((a, b) => place(a) - place(b));
    return { sources: entries.map(({ source }) => source), inputs: entries.map((entry) => entry.input) };
  }
}
