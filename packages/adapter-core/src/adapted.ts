import { E3vaError } from '@e3va/highway-grad';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, LayerVariable } from '@tensorflow/tfjs-layers';
import { type AdapterContent, adapterMetadata, readAdapter, writeAdapter } from './adapter-file.ts';
import { checkMethod, methodOf } from './adapter-method.ts';
import { AdapterSet } from './adapter-set.ts';
import { checkFits, tensorsOf } from './adapter-values.ts';
import { BaseIdentity } from './base-identity.ts';
import { type BaseFingerprint, fingerprint } from './fingerprint.ts';
import type { FrozenHalf } from './frozen-half.ts';
import type { Level } from './level.ts';
import { mergedModel, mergeInPlace } from './merge.ts';
import type { Method } from './methods/method.ts';
import { predictMany } from './predict-many.ts';
import type { TensorData } from './safetensors.ts';
import { type ParameterCounts, sizeOf, summaryLines } from './summary.ts';
import { type AdapterJob, trainStep } from './train-step.ts';
import type { Variant } from './variant.ts';

/** An adapter was trained on another base model than the one at hand. */
export class AdapterBaseError extends E3vaError {}

/**
 * A base model with fine-tuning adapters on it, one of them active: the frozen half, the highway, and both joined. Made
 * by `adapt`.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { layers, sequential } from '@tensorflow/tfjs-layers';
 * import '@tensorflow/tfjs-backend-cpu';
 * import { adapt, lora } from '@e3va/adapter-core';
 *
 * await tf.setBackend('cpu');
 * const base = sequential({ layers: [layers.dense({ name: 'fc', units: 2, inputShape: [3] })] });
 * const adapted = adapt(base, lora({ targets: 'fc', rank: 2 }), { adapterName: 'cats' });
 * adapted.addAdapter('dogs');
 * adapted.setAdapter('dogs'); // adapted.model is the same object, compiled or not
 * console.log(adapted.listAdapters(), adapted.activeAdapter); // ['cats', 'dogs'] 'dogs'
 * ```
 */
export class Adapted {
  /** The model that was adapted. Only the method `full` changes it. */
  readonly base: LayersModel;
  private readonly adapters: AdapterSet;
  private readonly identity: BaseIdentity;
  private readonly shared = new Map<string, FrozenHalf>();

  constructor(base: LayersModel, method: Method, adapterName = 'default') {
    this.base = base;
    this.identity = new BaseIdentity(base);
    this.adapters = new AdapterSet(base, adapterName, method);
  }

  /** The method of the active adapter. */
  get method(): Method {
    return this.variant.method;
  }

  /** images → taps, off the tape. */
  get frozen(): FrozenHalf {
    return this.variant.frozen;
  }

  /** taps → pyramid: a plain LayersModel that holds everything that is trained. */
  get highway(): LayersModel {
    return this.variant.split.highway;
  }

  /** Name, channels and stride of each level of the pyramid, in the order of the highway's outputs. */
  get levels(): Level[] {
    return this.variant.levels;
  }

  /**
   * Both halves as one LayersModel, for `compile`, `fit`, `fitDataset`, `evaluate`, `predict`, `save` and
   * `loadLayersModel`. The frozen half is one layer that runs off the tape; the weights are shared with
   * {@link Adapted.highway}. It stays the same object, compiled or not, while adapters of one method are swapped.
   */
  get model(): LayersModel {
    return this.variant.model;
  }

  private get variant(): Variant {
    return this.adapters.active.variant;
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
    this.checkBase();
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
    return this.variant.pyramid(taps, training);
  }

  /** Prints which parts are trained, the taps they read, and the trainable share. */
  summary(print: (line: string) => void = console.log): void {
    const title = `Method ${this.method.name} on model '${this.base.name}', adapter '${this.activeAdapter}'`;
    for (const line of summaryLines(title, this.highway, this.variant.split.taps, this.parameters))
      print(line);
  }

  /** The names of the adapters, in the order in which they were added. */
  listAdapters(): string[] {
    return this.adapters.names;
  }

  /** The name of the adapter that {@link Adapted.apply} and {@link Adapted.model} work with. */
  get activeAdapter(): string {
    return this.adapters.active.name;
  }

  /**
   * Adds a fresh adapter beside the others; the active one stays.
   *
   * @param name Its name.
   * @param method Its method; that of the active adapter by default. Adapters of one method with one set of options share
   * their layers.
   * @throws AdapterNameError if the name is taken or no name; TapError and the like if the method does not fit the base.
   * Nothing is changed then.
   */
  addAdapter(name: string, method: Method = this.method): void {
    this.checkBase();
    this.adapters.add(name, method);
  }

  /**
   * Makes an adapter the active one. Nothing is built or compiled anew: the values of the weights change places. An
   * optimizer keeps its moments from the adapter before; train several adapters with {@link Adapted.trainStep}, or compile
   * again.
   *
   * @throws AdapterNameError if there is no adapter of this name.
   */
  setAdapter(name: string): void {
    this.adapters.activate(name);
  }

  /**
   * Removes an adapter and frees its weights.
   *
   * @throws AdapterNameError if there is none of this name, or if it is active.
   */
  deleteAdapter(name: string): void {
    this.adapters.delete(name);
  }

  /**
   * Runs a function while every adapter is off, so that {@link Adapted.apply} and {@link Adapted.model} give the base's
   * own results.
   *
   * @param fn If it returns a promise, the adapter is back when that settles.
   * @returns What `fn` returns.
   */
  disableAdapter<T>(fn: () => T): T {
    return this.adapters.whileDisabled(fn);
  }

  /**
   * The results of several adapters for one batch. The frozen half runs once for all of them.
   *
   * @param images The base's input.
   * @param adapters Their names; or, by name, what makes a result of each one's levels: its head.
   * @returns By name, what `adapted.model.predict` gives with that adapter, or what its head gave; the caller disposes it.
   * @throws AdapterNameError for a name that is unknown.
   */
  predictMany(
    images: tf.Tensor | tf.Tensor[],
    adapters: readonly string[],
  ): Record<string, tf.Tensor | tf.Tensor[]>;
  predictMany<T extends tf.TensorContainer>(
    images: tf.Tensor | tf.Tensor[],
    adapters: Record<string, (levels: tf.Tensor[]) => T>,
  ): Record<string, T>;
  predictMany(
    images: tf.Tensor | tf.Tensor[],
    adapters: readonly string[] | Record<string, (levels: tf.Tensor[]) => tf.TensorContainer>,
  ): Record<string, tf.TensorContainer> {
    this.checkBase();
    return predictMany(this.base, this.adapters, this.shared, images, adapters);
  }

  /**
   * One training step of several adapters on one batch: several tasks, or several learning rates of one. The frozen half
   * runs once for all of them, off the tape.
   *
   * @param images The base's input.
   * @param jobs By name of the adapter: its optimizer, its loss, and further variables that it trains, such as a head's.
   * @returns The losses in front of the step, by name.
   * @throws AdapterNameError for a name that is unknown.
   */
  async trainStep(
    images: tf.Tensor | tf.Tensor[],
    jobs: Record<string, AdapterJob>,
  ): Promise<Record<string, number>> {
    this.checkBase();
    return trainStep(this.base, this.adapters, this.shared, images, jobs);
  }

  /**
   * Folds the active adapter into the weights of the layers that it stands on, so that the adapted model is as fast as
   * the base. It cannot be trained until {@link Adapted.unmergeAdapter}; swapping adapters takes it out again.
   *
   * @throws MergeError if the method adds layers that no weight of the base can stand for, such as the highway of e3va.
   */
  mergeAdapter(): void {
    mergeInPlace(this.variant, true);
  }

  /** Takes the active adapter out of the base's weights again, which are as before to the last bit. */
  unmergeAdapter(): void {
    mergeInPlace(this.variant, false);
  }

  /**
   * A plain LayersModel of the base's layers that does what the base does with the active adapter. The base and the
   * adapted model stay as they are.
   *
   * @throws MergeError if the method adds layers that no weight of the base can stand for, such as the highway of e3va.
   */
  mergeAndUnload(): LayersModel {
    return this.adapters.with(this.activeAdapter, (variant) => mergedModel(this.base, variant));
  }

  /**
   * The trained weights of an adapter by name, as the adapter file holds them. Reads them from the backend.
   *
   * @param name The adapter; the active one by default.
   */
  async adapterTensors(name: string = this.activeAdapter): Promise<Record<string, TensorData>> {
    const { weights } = this.adapters.variantOf(name);
    return tensorsOf(weights, this.adapters.values(name));
  }

  /**
   * Sets the trained weights of an adapter.
   *
   * @param name The adapter; the active one by default.
   * @throws AdapterFileError if names or shapes are not exactly those of {@link Adapted.adapterTensors}; nothing is
   * changed then.
   */
  setAdapterTensors(tensors: Record<string, TensorData>, name: string = this.activeAdapter): void {
    const { weights } = this.adapters.variantOf(name);
    checkFits(weights, tensors);
    tf.tidy(() => {
      const values = weights.map((w) =>
        tf.tensor(tensors[w.originalName]!.data.slice(), w.shape as number[]),
      );
      this.adapters.write(name, values);
    });
  }

  /**
   * Saves the trained weights of an adapter alone, with the method, its options and the base's fingerprint.
   *
   * @param destination A path or `file://` address (Node; `.safetensors` is appended to a name without extension),
   * an address of tf.io such as `indexeddb://cats`, or a tf.io handler.
   * @param options `name`: the adapter; the active one by default.
   * @throws FileWriteError if the file cannot be written; a file that was there stays whole.
   * @throws BaseChangedError if the base's weights are no longer those that it was adapted with.
   */
  async saveAdapter(
    destination: string | tf.io.IOHandler,
    { name = this.activeAdapter }: { name?: string } = {},
  ): Promise<void> {
    const variant = this.adapters.variantOf(name);
    const metadata = adapterMetadata({
      method: { name: variant.method.name, config: variant.method.config },
      taps: Object.fromEntries(variant.split.taps),
      base: await this.fingerprint(),
    });
    await writeAdapter(destination, { tensors: await this.adapterTensors(name), metadata });
  }

  /**
   * Loads what {@link Adapted.saveAdapter} saved, from a path, an `http(s)://` address, or through tf.io.
   *
   * @param options `name`: adds the adapter under this name, with the method and the options that stand in the file.
   * Without it, the file's values go into the active adapter.
   * @throws {@link AdapterBaseError} if the adapter was trained on another base.
   * @throws AdapterFileError if it is of another method or of other options than the active adapter, into which it was to
   * go; SafetensorsError if the file is damaged; AdapterNameError if the name is taken. In each case nothing is changed.
   */
  async loadAdapter(source: string | tf.io.IOHandler, { name }: { name?: string } = {}): Promise<void> {
    this.addContent(await this.checked(await readAdapter(source)), name);
  }

  /** Frees the adapters' weights. The base stays; with the method `full`, where the highway is the base, nothing is freed. */
  dispose(): void {
    this.adapters.dispose();
  }

  private addContent({ tensors, metadata }: AdapterContent, name: string | undefined): void {
    if (name === undefined) {
      checkMethod(this.variant, metadata);
      this.setAdapterTensors(tensors);
      return;
    }
    this.addAdapter(name, methodOf(metadata));
    try {
      this.setAdapterTensors(tensors, name);
    } catch (error) {
      this.deleteAdapter(name);
      throw error;
    }
  }

  private checkBase(): void {
    if (!this.variant.trainsBase) this.identity.check();
  }

  private async fingerprint(): Promise<BaseFingerprint> {
    return this.variant.trainsBase ? fingerprint(this.base) : this.identity.fingerprint();
  }

  private async checked(content: AdapterContent): Promise<AdapterContent> {
    if (this.variant.trainsBase && content.metadata.method.name === 'full') return content; // the weights are the base
    const own = await this.fingerprint();
    const theirs = content.metadata.base;
    if (own.hash === theirs.hash) return content;
    const say = (b: BaseFingerprint) =>
      `'${b.name}' with ${b.parameters.toLocaleString('en-US')} parameters (${b.hash})`;
    throw new AdapterBaseError({
      what: 'the adapter was trained on another base model',
      expected: say(own),
      received: `an adapter of ${say(theirs)}`,
      fix: 'load the base model, with the weights, that the adapter was trained on',
    });
  }
}
