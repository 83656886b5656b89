import * as tf from '@tensorflow/tfjs-core';
import {
  input,
  type LayersModel,
  type LayerVariable,
  model,
  type SymbolicTensor,
} from '@tensorflow/tfjs-layers';
import { applyLayer } from './copy-layer.ts';
import { FrozenHalf } from './frozen-half.ts';
import { probeShapes, sortedNodes } from './graph.ts';
import { FrozenLayer, TapLayer } from './layers/frozen-layer.ts';
import { type Level, strideOf } from './level.ts';
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
    this.joined ??= this.trainsBase ? this.base : join(this.base, this.frozen, this.split.highway);
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

/** The layers of the highway once more, behind the frozen half as one layer and its taps. */
function join(base: LayersModel, frozen: FrozenHalf, highway: LayersModel): LayersModel {
  const inputs = base.inputs.map((t) =>
    input({ shape: t.shape.slice(1), dtype: t.dtype, name: `${t.sourceLayer.name}_adapted` }),
  );
  const [token] = applyLayer(new FrozenLayer({ name: 'frozen_half', half: frozen }), inputs);
  const made = new Map<number, SymbolicTensor>();
  highway.inputs.forEach((t, index) => {
    const { shape, dtype, sourceLayer } = t;
    const tap = new TapLayer({ name: sourceLayer.name, index, tapShape: shape, tapType: dtype });
    made.set(t.id, applyLayer(tap, [token!])[0]!);
  });
  for (const { layer, inputs: read, outputs } of sortedNodes(highway.inputs, highway.outputs)) {
    const results = applyLayer(
      layer,
      read.map((t) => made.get(t.id)!),
    );
    outputs.forEach((t, i) => {
      made.set(t.id, results[i]!);
    });
  }
  const outputs = highway.outputs.map((t) => made.get(t.id)!);
  return model({ inputs, outputs, name: `${base.name}_adapted` });
}

function levelsOf(base: LayersModel, indices: number[]): Level[] {
  const shapes = probeShapes(base);
  const height = shapes.get(base.inputs[0]!.id)![1] ?? 1;
  return indices.map((index) => {
    const output = base.outputs[index]!;
    const shape = shapes.get(output.id)!;
    const stride = shape.length === 4 ? strideOf(height, shape[1]!) : 1;
    return { name: output.sourceLayer.name, channels: shape.at(-1)!, stride };
  });
}
