import * as tf from '@tensorflow/tfjs-core';
import {
  input,
  type LayersModel,
  type LayerVariable,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import { FrozenHalf } from './frozen-half.ts';
import { probeShapes } from './graph.ts';
import { FrozenLayer } from './layers/frozen-layer.ts';
import type { Level } from './level.ts';
import type { Method, Split } from './methods/method.ts';
import { undoVariablesOnError } from './undo-variables.ts';

/** Values of a variant's adapter weights, in its order; owned by who holds them. */
export type WeightValues = tf.Tensor[];

/** One method on one base, built: adapters that share method and options are sets of values for its weights. */
export class Variant {
  readonly method: Method;
  readonly split: Split;
  readonly frozen: FrozenHalf;
  readonly levels: Level[];
  /** The weights that make an adapter: all that the method trains. */
  readonly weights: LayerVariable[];
  private readonly base: LayersModel;
  private readonly first: WeightValues;
  private joined: LayersModel | undefined;

  constructor(base: LayersModel, method: Method) {
    this.base = base;
    this.method = method;
    this.split = undoVariablesOnError(() => method.split(base));
    this.frozen = new FrozenHalf(base.inputs, this.split.frozenOutputs);
    this.levels = levelsOf(base, this.split.levels);
    this.weights = this.trainsBase ? base.weights : this.split.highway.trainableWeights;
    this.first = this.trainsBase ? [] : this.values();
  }

  /** Whether the method trains the base itself. */
  get trainsBase(): boolean {
    return this.split.highway === this.base;
  }

  /** Both halves as one LayersModel. */
  get model(): LayersModel {
    this.joined ??= join(this.base, this.frozen, this.split.highway);
    return this.joined;
  }

  /** The pyramid from taps; on the tape, where one is. */
  pyramid(taps: tf.Tensor[], training: boolean): tf.Tensor[] {
    return tf.tidy(() => {
      const levels = [this.split.highway.apply(taps, { training }) as tf.Tensor | tf.Tensor[]].flat();
      // a level that no layer changes is a tap itself
      return levels.map((level) => (taps.includes(level) ? tf.clone(level) : level));
    });
  }

  /** The present values of the weights. */
  values(): WeightValues {
    return this.weights.map((w) => tf.keep(tf.clone(w.read())));
  }

  /** Gives the weights other values; the tensors stay the caller's. */
  assign(values: readonly tf.Tensor[]): void {
    this.setMerged(false);
    this.weights.forEach((w, i) => {
      w.write(values[i]!);
    });
  }

  /** The values that a fresh adapter starts with. */
  fresh(): WeightValues {
    return this.first.map((t) => tf.keep(tf.clone(t)));
  }

  /** Gives the weights the values with which the method changes nothing. */
  turnOff(): void {
    const { zeroWhenOff } = this.split;
    this.setMerged(false);
    tf.tidy(() => {
      this.weights.forEach((w, i) => {
        w.write(zeroWhenOff?.test(w.originalName) ? tf.zerosLike(this.first[i]!) : this.first[i]!);
      });
    });
  }

  /** Folds the present adapter into the weights of the layers it stands on, or takes it out again. */
  setMerged(merged: boolean): void {
    for (const layer of this.split.replaced?.values() ?? [])
      if (layer.merged !== merged) layer.merged = merged;
  }

  dispose(): void {
    tf.dispose(this.first);
    if (!this.trainsBase) this.split.highway.dispose();
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
