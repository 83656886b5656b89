import type { Attribute, ElementType, Initializer, Node } from '../onnx/schema.ts';
import { bytesOf, columnCodes, columnSteps, computed, entries, toHalf, type WeightArray } from './array.ts';
import type { OpenSize, Size } from './size.ts';
import { Value } from './value.ts';

/** How the weights of a model are stored, and its products computed. */
export type Precision = 'fp32' | 'fp16' | 'int8';

/** A graph that is being built. Equal operations on equal inputs exist once. */
export class Graph {
  /** Version of ONNX's operators. */
  readonly opset: number;
  /** How weights are stored, and products computed. */
  readonly precision: Precision;
  /** @internal */
  readonly nodes: Node[] = [];
  /** @internal */
  readonly initializers: Initializer[] = [];
  /** Prefix of the names of what is added. */
  scope = '';
  private readonly known = new Map<string, string[]>();
  private readonly names = new Map<string, number>();

  constructor(opset: number, precision: Precision) {
    this.opset = opset;
    this.precision = precision;
  }

  /** Adds an operation of ONNX; gives the name of its output. An input '' is left out. */
  node(type: string, inputs: readonly string[], attributes: Record<string, Attribute> = {}): string {
    return this.nodeWith(1, type, inputs, attributes)[0]!;
  }

  /** Adds an operation of several outputs. */
  nodeWith(
    count: number,
    type: string,
    inputs: readonly string[],
    attributes: Record<string, Attribute> = {},
  ): string[] {
    const key = JSON.stringify([type, inputs, attributes, count]);
    const known = this.known.get(key);
    if (known) return known;
    const name = this.name(type);
    const outputs = Array.from({ length: count }, (_, i) => (i === 0 ? name : `${name}:${i}`));
    this.nodes.push({ type, name, inputs, outputs, attributes });
    this.known.set(key, outputs);
    return outputs;
  }

  /** A constant of float32. */
  floats(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.small('float32', Float32Array.from(values), dims);
  }

  /** A constant number of float32. */
  float(value: number): string {
    return this.floats([value], []);
  }

  /** A constant of int64. */
  integers(values: readonly number[], dims: readonly number[] = [values.length]): string {
    return this.small('int64', BigInt64Array.from(values, BigInt), dims);
  }

  private small(type: ElementType, data: Float32Array | BigInt64Array, dims: readonly number[]): string {
    const key = `${type}:[${dims}]:${data}`;
    return this.initializer(key, type, dims, data.byteLength, async () => bytesOf(data));
  }

  /** A weight in full precision; stored in half precision, and widened at load, where the model asks for it and it is a matrix. */
  weight(array: WeightArray): string {
    const { key, dims } = array;
    const count = entries(dims);
    if (this.precision === 'fp16' && dims.length > 1 && count > 1) {
      const half = this.initializer(`${key}:half`, 'float16', dims, 2 * count, async () =>
        bytesOf(toHalf(await array.read(), key)),
      );
      return this.node('Cast', [half], { to: 1 });
    }
    return this.initializer(key, 'float32', dims, 4 * count, async () => bytesOf(await array.read()));
  }

  private initializer(
    key: string,
    type: ElementType,
    dims: readonly number[],
    length: number,
    read: () => Promise<Uint8Array>,
  ): string {
    const known = this.known.get(key);
    if (known) return known[0]!;
    const name = this.name('constant');
    this.initializers.push({ name, type, dims, data: { length, read } });
    this.known.set(key, [name]);
    return name;
  }

  private name(kind: string): string {
    const base = this.scope ? `${this.scope}/${kind}` : kind;
    const used = this.names.get(base) ?? 0;
    this.names.set(base, used + 1);
    return used === 0 ? base : `${base}_${used}`;
  }

  /** A size as a tensor of int64, [1]. */
  size(size: Size): string {
    return typeof size === 'number' ? this.integers([size]) : this.openSize(size);
  }

  private openSize(size: OpenSize): string {
    if (size.op !== 'Shape') return this.node(size.op, [this.size(size.args[0]), this.size(size.args[1])]);
    return this.node('Shape', [size.tensor], { start: size.axis, end: size.axis + 1 });
  }

  /** Sizes as a tensor of int64. */
  sizes(sizes: readonly Size[]): string {
    if (sizes.every((size) => typeof size === 'number')) return this.integers(sizes);
    const pieces: string[] = [];
    let numbers: number[] = [];
    for (const size of [...sizes, undefined]) {
      if (typeof size === 'number') {
        numbers.push(size);
        continue;
      }
      if (numbers.length > 0) pieces.push(this.integers(numbers));
      numbers = [];
      if (size) pieces.push(this.openSize(size));
    }
    return pieces.length === 1 ? pieces[0]! : this.node('Concat', pieces, { axis: 0 });
  }

  /** A tensor in another shape. One open size is left to the operation: the one that is longest to compute. */
  reshape(tensor: string, shape: readonly Size[]): string {
    const open = shape.filter((size) => typeof size !== 'number');
    const longest = open.sort((a, b) => b.key.length - a.key.length)[0];
    const at = longest ? shape.indexOf(longest) : -1;
    return this.node('Reshape', [tensor, this.sizes(shape.map((size, i) => (i === at ? -1 : size)))]);
  }

  /** The axes in another order. */
  transpose(tensor: string, perm: readonly number[]): string {
    return this.node('Transpose', [tensor], { perm });
  }

  /** Entries `start` to `end` of one axis; a negative number counts from the end. */
  slice(tensor: string, axis: number, start: Size, end: Size): string {
    return this.node('Slice', [tensor, this.size(start), this.size(end), this.integers([axis])]);
  }

  /** A tensor with entries of `value` in front and behind, for each axis. */
  pad(tensor: string, around: readonly (readonly [Size, Size])[], value = 0): string {
    if (around.every(([before, after]) => before === 0 && after === 0)) return tensor;
    const pads = this.sizes([...around.map(([before]) => before), ...around.map(([, after]) => after)]);
    return this.node('Pad', [tensor, pads, this.float(value)]);
  }

  /** Sums or means of some axes. */
  reduce(kind: 'Sum' | 'Mean' | 'Max', tensor: string, axes: readonly number[], keep = false): string {
    const keepdims = keep ? 1 : 0;
    // the axes became an input at version 13 for sums, at version 18 for the others
    if (kind === 'Sum' || this.opset >= 18) {
      return this.node(`Reduce${kind}`, [tensor, this.integers(axes)], { keepdims });
    }
    return this.node(`Reduce${kind}`, [tensor], { axes, keepdims });
  }

  /** x · kernel over the last axis, with a matrix [in, out]; in 8 bits where the model asks for it. */
  matMul(tensor: string, kernel: WeightArray): string {
    if (this.precision !== 'int8') return this.node('MatMul', [tensor, this.weight(kernel)]);
    const [rows, columns] = kernel.dims as [number, number];
    const { key } = kernel;
    const codes = this.initializer(`${key}:codes`, 'int8', [rows, columns], rows * columns, async () =>
      bytesOf(columnCodes(await kernel.read(), columns)),
    );
    const steps = this.weight(computed('steps', [kernel], [columns], (data) => columnSteps(data, columns)));
    const [x, step, zero] = this.nodeWith(3, 'DynamicQuantizeLinear', [tensor]) as [string, string, string];
    const product = this.node('MatMulInteger', [x, codes, zero]);
    const scale = this.node('Mul', [step, steps]);
    return this.node('Mul', [this.node('Cast', [product], { to: 1 }), scale]);
  }

  /** x · kernel + bias over the last axis. */
  affine(tensor: string, kernel: WeightArray, bias?: WeightArray): string {
    const product = this.matMul(tensor, kernel);
    return bias ? this.node('Add', [product, this.weight(bias)]) : product;
  }

  /** A value, its channels last. */
  value(tensor: string, shape: readonly Size[]): Value {
    return new Value(this, tensor, shape);
  }

  /** A value from a map with its channels first; the shape is that with the channels last. */
  channelsFirst(tensor: string, shape: readonly Size[]): Value {
    return new Value(this, tensor, shape, 'first');
  }

  /** What `compute` makes of each entry of a value, on whichever form of it exists. */
  map(x: Value, compute: (tensor: string) => string): Value {
    return x.isChannelsFirst
      ? this.channelsFirst(compute(x.channelsFirst), x.shape)
      : this.value(compute(x.tensor), x.shape);
  }
}
