import type { DataType } from '@tensorflow/tfjs-core';
import { input, type LayersModel, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { sortedNodes } from '../graph.ts';
import { PackTap } from '../layers/pack-tap.ts';
import { StreamChange } from '../layers/stream-change.ts';

interface Entry {
  /** What the frozen half gives. */
  source: SymbolicTensor;
  /** The place in the base's order. */
  place: number;
  input: SymbolicTensor;
}

/** The inputs of a highway, each carrying a tensor of the base; made as they are asked for. */
export class HighwayInputs {
  /** Place of each of the base's tensors, by id: behind all that it depends on. */
  readonly order: ReadonlyMap<number, number>;
  private readonly entries = new Map<number, Entry>();

  constructor(base: LayersModel) {
    const tensors = sortedNodes([], base.outputs).flatMap(({ outputs }) => outputs);
    this.order = new Map(tensors.map((t, i) => [t.id, i]));
  }

  /** The input that carries a tensor of the base. */
  of(source: SymbolicTensor): SymbolicTensor {
    const known = this.entries.get(source.id);
    if (known) return known.input;
    return this.add(source, this.order.get(source.id)!, this.nameOf(source), source.dtype);
  }

  /** Inputs that carry the words and scales of a tensor of the base, packed as it is made. */
  packed(source: SymbolicTensor, bits: 8 | 16): SymbolicTensor[] {
    const name = this.nameOf(source);
    const place = this.order.get(source.id)!;
    const [codes, scales] = new PackTap({ name: `pack.${name}`, bits }).apply(source) as SymbolicTensor[];
    return [
      this.add(codes!, place, `${name}.codes`, 'int32'),
      this.add(scales!, place, `${name}.scales`, 'float32'),
    ];
  }

  /** The input that carries the difference of two tensors of the base. */
  change(before: SymbolicTensor, after: SymbolicTensor): SymbolicTensor {
    const name = `change.${this.nameOf(after)}`;
    const change = new StreamChange({ name }).apply([before, after]) as SymbolicTensor;
    return this.add(change, this.order.get(after.id)!, `${name}.sum`, 'float32');
  }

  private add(source: SymbolicTensor, place: number, name: string, dtype: DataType): SymbolicTensor {
    const made = input({ shape: source.shape.slice(1), dtype, name });
    this.entries.set(source.id, { source, place, input: made });
    return made;
  }

  /** After the layer, with a number where the layer is used more than once or has several outputs. */
  private nameOf({ sourceLayer, nodeIndex, tensorIndex }: SymbolicTensor): string {
    const suffix = [nodeIndex, tensorIndex].filter((index) => index > 0).join('.');
    return `from.${sourceLayer.name}${suffix && `.${suffix}`}`;
  }

  /** The tensors of the base and the inputs that carry them, both in the order of the base. */
  sorted(): { sources: SymbolicTensor[]; inputs: SymbolicTensor[] } {
    const entries = [...this.entries.values()].sort((a, b) => a.place - b.place);
    return { sources: entries.map(({ source }) => source), inputs: entries.map((entry) => entry.input) };
  }
}
