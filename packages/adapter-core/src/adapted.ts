import { E3vaError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import {
  input,
  type LayersModel,
  type LayerVariable,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import {
  type AdapterContent,
  AdapterFileError,
  adapterMetadata,
  readAdapter,
  writeAdapter,
} from './adapter-file.ts';
import { fingerprint } from './fingerprint.ts';
import { FrozenHalf } from './frozen-half.ts';
import { probeShapes } from './graph.ts';
import { FrozenLayer } from './layers/frozen-layer.ts';
import type { Level } from './level.ts';
import type { Method, Split } from './methods/method.ts';
import type { TensorData } from './safetensors.ts';
import { type ParameterCounts, sizeOf, summaryLines } from './summary.ts';
import { undoVariablesOnError } from './undo-variables.ts';

/** An adapter was trained on another base model than the one at hand. */
export class AdapterBaseError extends E3vaError {}

/** A base model with a fine-tuning method on it: the frozen half, the highway, and both joined. Made by `adapt`. */
export class Adapted {
  /** The model that was adapted. Only the method `full` changes it. */
  readonly base: LayersModel;
  readonly method: Method;
  /** images → taps, off the tape. */
  readonly frozen: FrozenHalf;
  /** taps → pyramid: a plain LayersModel that holds everything that is trained. */
  readonly highway: LayersModel;
  /** Name, channels and stride of each level of the pyramid, in the order of the highway's outputs. */
  readonly levels: Level[];
  private readonly split: Split;
  private joined: LayersModel | undefined;

  constructor(base: LayersModel, method: Method) {
    this.base = base;
    this.method = method;
    this.split = undoVariablesOnError(() => method.split(base));
    this.frozen = new FrozenHalf(base.inputs, this.split.frozenOutputs);
    this.highway = this.split.highway;
    this.levels = levelsOf(base, this.split.levels);
  }

  /**
   * Both halves as one LayersModel, for `compile`, `fit`, `fitDataset`, `evaluate`, `predict`, `save` and
   * `loadLayersModel`. The frozen half is one layer that runs off the tape; the weights are shared with
   * {@link Adapted.highway}.
   */
  get model(): LayersModel {
    this.joined ??= join(this.base, this.frozen, this.highway);
    return this.joined;
  }

  /** The weights that training changes. */
  get trainableWeights(): LayerVariable[] {
    return this.highway.trainableWeights;
  }

  /** Numbers of trainable and of all parameters; layers that the highway inherits are counted once. */
  get parameters(): ParameterCounts {
    const count = (weights: LayerVariable[]) => weights.reduce((n, w) => n + sizeOf(w.shape), 0);
    const trainable = count(this.trainableWeights);
    const inBase = new Set(this.base.weights.map((w) => w.id));
    const added = count(this.trainableWeights.filter((w) => !inBase.has(w.id)));
    return { trainable, total: count(this.base.weights) + added };
  }

  /**
   * The taps of a batch: what the frozen half gives. Computed off the tape.
   *
   * @param images The base's input, for Swin normalised images [batch, height, width, 3].
   * @returns Tensors in the order of the highway's inputs; the caller disposes them.
   */
  taps(images: tf.Tensor | tf.Tensor[]): tf.Tensor[] {
    return this.frozen.run(images);
  }

  /**
   * The pyramid of a batch. On the tape stands only the highway.
   *
   * @param images The base's input.
   * @param options `training` is handed to the highway's layers.
   * @returns The levels, in the order of `levels`; the caller disposes them.
   */
  apply(images: tf.Tensor | tf.Tensor[], options: { training?: boolean } = {}): tf.Tensor[] {
    return tf.tidy(() => this.pyramid(this.taps(images), options));
  }

  /** The pyramid from taps: the highway alone, on the tape. The caller disposes the result. */
  pyramid(taps: tf.Tensor[], { training = false }: { training?: boolean } = {}): tf.Tensor[] {
    return tf.tidy(() => [this.highway.apply(taps, { training }) as tf.Tensor | tf.Tensor[]].flat());
  }

  /** Prints which parts are trained, the taps they read, and the trainable share. */
  summary(print: (line: string) => void = console.log): void {
    const title = `Method ${this.method.name} on model '${this.base.name}'`;
    for (const line of summaryLines(title, this.highway, this.split.taps, this.parameters)) print(line);
  }

  /** The trained weights by name, as the adapter file holds them. Reads them from the backend. */
  async adapterTensors(): Promise<Record<string, TensorData>> {
    const tensors = this.trainableWeights.map(async (w) => {
      const data = (await w.read().data()) as Float32Array;
      return [w.originalName, { shape: w.shape as number[], data }] as const;
    });
    return Object.fromEntries(await Promise.all(tensors));
  }

  /**
   * Sets the trained weights.
   *
   * @throws AdapterFileError if names or shapes are not exactly those of {@link Adapted.adapterTensors}; nothing is
   * changed then.
   */
  setAdapterTensors(tensors: Record<string, TensorData>): void {
    const weights = this.trainableWeights;
    const names = new Set(weights.map((w) => w.originalName));
    const missing = weights
      .filter((w) => !sameShape(tensors[w.originalName]?.shape, w.shape))
      .map((w) => w.originalName);
    const unknown = Object.keys(tensors).filter((name) => !names.has(name));
    if (missing.length > 0 || unknown.length > 0) {
      const some = (list: string[]) =>
        list.slice(0, 5).join(', ') + (list.length > 5 ? `, … (${list.length})` : '');
      throw new AdapterFileError({
        what: 'the adapter does not fit the adapted model',
        expected:
          missing.length > 0 ? `tensors of the right shape for ${some(missing)}` : 'no further tensors',
        received:
          unknown.length > 0
            ? `unknown tensors ${some(unknown)}`
            : 'tensors that are missing or of another shape',
        fix: 'adapt the base with the method and the options that the adapter was trained with (they stand in its metadata)',
      });
    }
    tf.tidy(() => {
      for (const w of weights) w.write(tf.tensor(tensors[w.originalName]!.data, w.shape as number[]));
    });
  }

  /**
   * Saves the trained weights alone, with the method, its options and the base's fingerprint.
   *
   * @param destination A path or `file://` address (Node; `.safetensors` is appended to a name without extension),
   * an address of tf.io such as `indexeddb://cats`, or a tf.io handler.
   * @throws FileWriteError if the file cannot be written; a file that was there stays whole.
   */
  async saveAdapter(destination: string | tf.io.IOHandler): Promise<void> {
    const { name, config } = this.method;
    const metadata = adapterMetadata({
      method: { name, config },
      taps: Object.fromEntries(this.split.taps),
      base: await fingerprint(this.base),
    });
    await writeAdapter(destination, { tensors: await this.adapterTensors(), metadata });
  }

  /**
   * Loads what {@link Adapted.saveAdapter} saved, from a path, an `http(s)://` address, or through tf.io.
   *
   * @throws {@link AdapterBaseError} if the adapter was trained on another base.
   * @throws AdapterFileError if it is of another method or of other options; SafetensorsError if the file is damaged.
   * In each case nothing is changed.
   */
  async loadAdapter(source: string | tf.io.IOHandler): Promise<void> {
    const content = await readAdapter(source);
    await this.checkOrigin(content);
    this.setAdapterTensors(content.tensors);
  }

  /** Frees the highway's weights. The base stays; with the method `full`, where the highway is the base, nothing is freed. */
  dispose(): void {
    if (this.highway !== this.base) this.highway.dispose();
  }

  private async checkOrigin({ metadata }: AdapterContent): Promise<void> {
    if (metadata.method.name !== this.method.name) {
      throw new AdapterFileError({
        what: 'the adapter is of another method',
        expected: this.method.name,
        received: metadata.method.name,
      });
    }
    if (this.method.name === 'full') return; // the weights are the base
    const own = await fingerprint(this.base);
    const theirs = metadata.base;
    if (own.hash === theirs.hash) return;
    const say = (b: typeof own) =>
      `'${b.name}' with ${b.parameters.toLocaleString('en-US')} parameters (${b.hash})`;
    throw new AdapterBaseError({
      what: 'the adapter was trained on another base model',
      expected: say(own),
      received: `an adapter of ${say(theirs)}`,
      fix: 'load the base model, with the weights, that the adapter was trained on',
    });
  }
}

function join(base: LayersModel, frozen: FrozenHalf, highway: LayersModel): LayersModel {
  const inputs = base.inputs.map((t) =>
    input({ shape: t.shape.slice(1), dtype: t.dtype, name: `${t.sourceLayer.name}_adapted` }),
  );
  const taps = new FrozenLayer({ name: 'frozen_half', half: frozen }).apply(inputs) as SymbolicTensor[];
  const outputs = highway.apply(taps) as SymbolicTensor | SymbolicTensor[];
  return model({ inputs, outputs, name: `${base.name}_adapted` });
}

function levelsOf(base: LayersModel, indices: number[]): Level[] {
  const shapes = probeShapes(base);
  const height = shapes.get(base.inputs[0]!.id)![1] ?? 1;
  return indices.map((index) => {
    const output = base.outputs[index]!;
    const shape = shapes.get(output.id)!;
    const stride = shape.length === 4 ? Math.round(height / shape[1]!) : 1;
    return { name: output.sourceLayer.name, channels: shape.at(-1)!, stride };
  });
}

const sameShape = (a: number[] | undefined, b: readonly (number | null)[]) =>
  a !== undefined && a.join() === b.join();
