import { assertSingleTfjs, offTape, ShapeError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import { type LayersModel, model, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import { type GraphNode, readerCounts, sortedNodes } from './graph.ts';

/**
 * The frozen half of an adapted model: the base up to its taps, run off the gradient tape.
 *
 * It runs by a plan made once from the graph: every layer inside a tidy, every tensor released after its last
 * reader, and layers that work on each token alone (marked by a property `tokenwise: true`) in slices of rows where
 * their temporaries would be large. Its peak memory is the taps plus the temporaries of one layer.
 */
export class FrozenHalf {
  /** The same computation as an ordinary LayersModel, for other engines: images → taps. */
  readonly model: LayersModel;
  private readonly plan: Plan;

  constructor(inputs: SymbolicTensor[], outputs: SymbolicTensor[]) {
    this.model = model({ inputs, outputs });
    this.plan = planOf(inputs, outputs);
  }

  /**
   * Computes the taps of a batch of images. Nothing is recorded on the tape, and no gradient flows through.
   *
   * @param images The base's input or inputs, for Swin normalised images of shape [batch, height, width, 3].
   * @param visit Is shown the first outputs, each as soon as it is made, in place of their being returned: they are released
   * after their last reader. What it makes and wants to keep it has to `tf.keep`.
   * @returns The taps in the order of `model.outputs`; the caller disposes them.
   * @throws ShapeError if the number of inputs or a rank differs from the model's.
   */
  run(images: tf.Tensor | tf.Tensor[], visit?: TapVisit): tf.Tensor[] {
    const inputs = this.check(images);
    for (const weight of this.model.weights.slice(0, 1)) assertSingleTfjs(weight.read());
    return offTape(inputs, (...given) => execute(this.plan, given, visit));
  }

  /**
   * Whether a batch of images fits.
   *
   * @returns The images as a list, one tensor an input.
   * @throws ShapeError if the number of inputs or a shape differs from the model's.
   */
  check(images: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    const inputs = Array.isArray(images) ? images : [images];
    checkInputs(this.model.inputs, inputs);
    return inputs;
  }
}

/** Which outputs of a frozen half are shown rather than returned, and to whom. */
export interface TapVisit {
  /** The first so many outputs; different tensors, and none of them an input. */
  count: number;
  /** Gets the index of an output, and its value. */
  see(index: number, value: tf.Tensor): void;
}

/** Temporaries of a run of token-wise layers stay below about this. */
const chunkBytes = 16 * 2 ** 20;

/** One node, or a chain of token-wise nodes that is worked through in slices of rows. */
interface Step {
  nodes: GraphNode[];
  tokenwise: boolean;
}

interface Plan {
  inputs: SymbolicTensor[];
  outputs: SymbolicTensor[];
  steps: Step[];
  /** How many steps read each symbolic tensor, by id; being an output counts as one. */
  readers: Map<number, number>;
}

function planOf(inputs: SymbolicTensor[], outputs: SymbolicTensor[]): Plan {
  const nodes = sortedNodes(inputs, outputs);
  const readers = readerCounts(nodes);
  for (const t of outputs) readers.set(t.id, (readers.get(t.id) ?? 0) + 1);
  const steps: Step[] = [];
  for (const node of nodes) {
    const tokenwise = isTokenwise(node);
    const last = steps.at(-1);
    const link = last?.nodes.at(-1)?.outputs[0];
    const chained = link && node.inputs[0]?.id === link.id && readers.get(link.id) === 1;
    if (tokenwise && last?.tokenwise && chained) last.nodes.push(node);
    else steps.push({ nodes: [node], tokenwise });
  }
  return { inputs, outputs, steps, readers };
}

function isTokenwise({ layer, inputs, outputs }: GraphNode): boolean {
  return (layer as { tokenwise?: boolean }).tokenwise === true && inputs.length === 1 && outputs.length === 1;
}

/** Runs the plan; releases each tensor after its last reader. Two names of one tensor share its count of readers. */
function execute(
  { inputs, outputs, steps, readers }: Plan,
  given: tf.Tensor[],
  { count, see }: TapVisit = { count: 0, see: () => {} },
): tf.Tensor[] {
  const visited = new Map(outputs.slice(0, count).map((t, i) => [t.id, i]));
  const values = new Map<number, tf.Tensor>();
  const pending = new Map<tf.Tensor, number>();
  const owned = (t: tf.Tensor) => !given.includes(t);
  const masks = new Map<number, tf.Tensor>();
  const define = (symbol: SymbolicTensor, value: tf.Tensor) => {
    values.set(symbol.id, value);
    pending.set(value, (pending.get(value) ?? 0) + (readers.get(symbol.id) ?? 0));
  };
  const release = (value: tf.Tensor, reads: number) => {
    const left = pending.get(value)! - reads;
    pending.set(value, left);
    if (left === 0 && owned(value)) value.dispose();
  };
  inputs.forEach((t, i) => {
    define(t, given[i]!);
  });
  for (const step of steps) {
    const first = step.nodes[0]!;
    const last = step.nodes.at(-1)!;
    const reads = first.inputs.map((t) => values.get(t.id)!);
    const results = runStep(
      step,
      reads,
      first.inputs.map((t) => masks.get(t.id)),
    );
    keepMask(masks, last, reads);
    last.outputs.forEach((t, i) => {
      define(t, results[i]!);
    });
    for (const read of reads) release(read, 1);
    last.outputs.forEach((t, i) => {
      const index = visited.get(t.id);
      if (index === undefined) return;
      see(index, results[i]!);
      release(results[i]!, 1);
    });
    for (const result of new Set(results)) release(result, 0);
  }
  for (const mask of new Set(masks.values())) mask.dispose();
  return outputs.slice(count).map((t) => values.get(t.id)!);
}

/** Notes the mask that a layer hands on, as tfjs-layers does when it runs a model. */
function keepMask(
  masks: Map<number, tf.Tensor>,
  { layer, inputs, outputs }: GraphNode,
  reads: tf.Tensor[],
): void {
  if (!layer.supportsMasking) return;
  const given = inputs.map((t) => masks.get(t.id));
  const mask = tf.tidy(() => layer.computeMask(oneOrAll(reads), oneOrAll(given as tf.Tensor[])));
  [mask].flat().forEach((m, i) => {
    if (m) masks.set(outputs[i]!.id, m);
  });
}

const oneOrAll = <T>(list: T[]): T | T[] => (list.length === 1 ? list[0]! : list);

function runStep(
  { nodes, tokenwise }: Step,
  inputs: tf.Tensor[],
  masks: (tf.Tensor | undefined)[],
): tf.Tensor[] {
  if (!tokenwise) return callLayer(nodes[0]!, inputs, masks.some(Boolean) ? { mask: masks[0] } : {});
  const [x] = inputs as [tf.Tensor];
  const channels = x.shape[x.rank - 1]!;
  const rows = x.size / channels;
  const widest = Math.max(channels, ...nodes.map(({ outputs }) => outputs[0]!.shape.at(-1) ?? channels));
  const perChunk = Math.max(1, Math.floor(chunkBytes / (widest * 4 * 4)));
  const chain = (t: tf.Tensor) =>
    tf.tidy(() => nodes.reduce((value, node) => callLayer(node, [value])[0]!, t));
  if (rows <= perChunk) return [chain(x)];
  return tf.tidy(() => {
    const flat = tf.reshape(x, [rows, channels]);
    const parts: tf.Tensor[] = [];
    for (let at = 0; at < rows; at += perChunk) {
      parts.push(tf.tidy(() => chain(tf.slice(flat, [at, 0], [Math.min(perChunk, rows - at), channels]))));
    }
    const out = tf.concat(parts);
    return [tf.reshape(out, [...x.shape.slice(0, -1), out.shape[out.rank - 1]!])];
  });
}

function callLayer({ layer }: GraphNode, inputs: tf.Tensor[], kwargs: object = {}): tf.Tensor[] {
  return tf.tidy(() => [layer.call(inputs, { ...kwargs, training: false })].flat());
}

function checkInputs(expected: SymbolicTensor[], given: tf.Tensor[]): void {
  const fits =
    given.length === expected.length &&
    given.every((t, i) => {
      const shape = expected[i]!.shape;
      return t.rank === shape.length && shape.every((size, axis) => size === null || size === t.shape[axis]);
    });
  if (fits) return;
  throw new ShapeError({
    what: 'the frozen half cannot take these inputs',
    expected: expected.map((t) => `[${t.shape.map((size) => size ?? 'any').join(', ')}]`).join(', '),
    received: given.map((t) => `[${t.shape.join(', ')}]`).join(', '),
    fix: 'add the batch axis, and give one tensor for each input of the base model',
  });
}
