import * as tf from '@tensorflow/tfjs-core';
import { DivergedError } from './errors.ts';
import type { NamedWeight } from './named-weight.ts';
import { addGradients, scaleGradients } from './optim/accumulate.ts';
import { AdamW } from './optim/adamw.ts';
import { isDecayed } from './optim/decay.ts';
import { WeightAverage } from './optim/ema.ts';
import type { Recipe } from './recipe/schema.ts';
import { learningRateFactor } from './schedule.ts';
import type { Batch, Losses, TaskModel } from './task.ts';

/** The part of a recipe that a {@link Trainer} reads. */
export type TrainSettings = Pick<
  Recipe['train'],
  'steps' | 'optimizer' | 'schedule' | 'clipNorm' | 'ema' | 'accumulate'
>;

/**
 * Trains a {@link Segmenter} or a {@link DetectionModel} step by step: taps off the tape, gradients of highway and heads,
 * AdamW, schedule, average of the weights. It knows no files and no data set; {@link trainRun} adds those.
 *
 * @example
 * ```ts
 * import * as tf from '@tensorflow/tfjs-core';
 * import { parseRecipe, Segmenter, Trainer, useBackend } from 'e3va';
 *
 * await useBackend('wasm');
 * const recipe = parseRecipe({ train: { steps: 2, schedule: { warmupSteps: 0 } } });
 * const segmenter = await Segmenter.create(recipe, { classes: ['a', 'b'], ignoreIndex: 255 });
 * const trainer = new Trainer(segmenter, recipe.train);
 * const images = tf.randomNormal<tf.Rank.R4>([1, 64, 64, 3]);
 * const labels = tf.zeros<tf.Rank.R3>([1, 64, 64], 'int32');
 * for (let i = 0; i < 2; i++) {
 *   const { total } = trainer.step([{ images, labels }]);
 *   console.log((await total.data())[0]);
 *   total.dispose();
 * }
 * ```
 */
export class Trainer<B extends Batch = Batch> {
  /** The optimiser. */
  readonly optimizer: AdamW;
  /** The average of the weights, if the recipe asks for one. */
  readonly average: WeightAverage | undefined;
  private readonly weights: NamedWeight[];
  private readonly variables: tf.Variable[];
  private done = 0;

  constructor(
    /** What is trained. */
    readonly model: TaskModel<B>,
    private readonly settings: TrainSettings,
  ) {
    const { optimizer, clipNorm, ema } = settings;
    this.weights = model.trainable();
    this.variables = this.weights.map(({ variable }) => variable.read() as tf.Variable);
    const byName = new Map(this.weights.map((weight, i) => [this.variables[i]!.name, weight]));
    const bodyRate = (optimizer.bodyLr ?? optimizer.lr) / optimizer.lr;
    this.optimizer = new AdamW({
      learningRate: optimizer.lr,
      beta1: optimizer.betas[0],
      beta2: optimizer.betas[1],
      epsilon: optimizer.eps,
      weightDecay: optimizer.weightDecay,
      ...(clipNorm !== undefined && { clipNorm }),
      decays: (name) => isDecayed(byName.get(name)!.variable.originalName),
      rateOf: (name) => (byName.get(name)!.part === 'adapter' ? bodyRate : 1),
    });
    this.average = ema === undefined ? undefined : new WeightAverage(this.variables, ema);
  }

  /** Steps done. */
  get steps(): number {
    return this.done;
  }

  /** Number of trained parameters. */
  get parameters(): number {
    return this.variables.reduce((sum, v) => sum + v.size, 0);
  }

  /** Learning rate of the heads at a step, counted from 0. */
  learningRate(step = this.done): number {
    const { optimizer, schedule, steps } = this.settings;
    return optimizer.lr * learningRateFactor(step, { ...schedule, steps });
  }

  /**
   * Makes one step: the gradients of each batch, their mean, one update.
   *
   * @param batches One batch, or several whose gradients are averaged. They are not disposed of.
   * @returns The mean loss and its parts. They are not read back, so that a GPU need not be waited for; the caller disposes of
   * them.
   */
  step(batches: readonly B[]): Losses {
    let sum: tf.NamedTensorMap = {};
    const losses = batches.map((batch) => {
      const { grads, ...losses } = this.gradients(batch);
      sum = addGradients(sum, grads);
      return losses;
    });
    const grads = scaleGradients(sum, 1 / batches.length);
    this.optimizer.learningRate = this.learningRate();
    this.optimizer.applyGradients(grads);
    tf.dispose(grads);
    this.average?.update();
    this.done++;
    return losses.length === 1 ? losses[0]! : meanLosses(losses);
  }

  private gradients(batch: B): Losses & { grads: tf.NamedTensorMap } {
    const taps = this.model.adapted.taps(batch.images);
    let parts: Losses['losses'] = {};
    try {
      const { value, grads } = tf.variableGrads(() => {
        const { total, losses } = this.model.loss(taps, batch);
        // the tape has its own hold on what the backward pass needs
        tf.dispose(taps);
        parts = mapValues(losses, (loss) => tf.keep(tf.clone(loss)));
        const regularisers = this.model.adapted.highway.calculateLosses();
        return regularisers.length > 0 ? (tf.addN([total, ...regularisers]) as tf.Scalar) : total;
      }, this.variables);
      return { total: value, losses: parts, grads };
    } catch (error) {
      tf.dispose(parts);
      throw error;
    } finally {
      tf.dispose(taps);
    }
  }

  /** Runs `fn` with the averaged weights in the model, if there are any, and puts the trained ones back. */
  async withAverage<T>(fn: () => Promise<T>): Promise<T> {
    this.average?.swap();
    try {
      return await fn();
    } finally {
      this.average?.swap();
    }
  }

  /**
   * Everything that a run needs to go on as if it had not stopped, on the CPU: `model/…`, `optimizer/…/m|v`, `ema/…`.
   *
   * @throws {@link DivergedError} if a number is not finite.
   */
  async save(): Promise<TrainerState> {
    const tensors: TrainerState['tensors'] = {};
    const put = async (key: string, tensor: tf.Tensor) => {
      const data = (await tensor.data()) as Float32Array;
      if (!data.every(Number.isFinite))
        throw divergedModel(this.done, `${key} holds a number that is not finite`);
      tensors[key] = { shape: tensor.shape, data: Float32Array.from(data) };
    };
    for (const { key, variable } of this.model.state()) await put(`model/${key}`, variable.read());
    const keyOf = new Map(this.variables.map((v, i) => [v.name, this.weights[i]!.key]));
    for (const { name, tensor } of await this.optimizer.getWeights()) {
      const at = name.lastIndexOf('/');
      if (name !== 'iter') await put(`optimizer/${keyOf.get(name.slice(0, at))}${name.slice(at)}`, tensor);
      tensor.dispose();
    }
    const averages = this.average?.values() ?? [];
    for (const [i, tensor] of averages.entries()) await put(`ema/${this.weights[i]!.key}`, tensor);
    tf.dispose(averages);
    return { step: this.done, averaged: this.average?.count ?? 0, tensors };
  }

  /** Restores what {@link Trainer.save} gave. The tensors must fit: whoever reads a checkpoint checks that. */
  async restore({ step, averaged, tensors }: TrainerState): Promise<void> {
    const tensorOf = (key: string) => tf.tensor(tensors[key]!.data, tensors[key]!.shape as number[]);
    for (const { key, variable } of this.model.state()) {
      tf.tidy(() => void variable.write(tensorOf(`model/${key}`)));
    }
    const moments = this.weights.flatMap(({ key }, i) =>
      (['m', 'v'] as const)
        .filter((kind) => tensors[`optimizer/${key}/${kind}`])
        .map((kind) => ({
          name: `${this.variables[i]!.name}/${kind}`,
          tensor: tensorOf(`optimizer/${key}/${kind}`),
        })),
    );
    const state = [{ name: 'iter', tensor: tf.scalar(step, 'int32') as tf.Tensor }, ...moments];
    await this.optimizer.setWeights(state);
    tf.dispose(state.map(({ tensor }) => tensor));
    if (this.average) {
      const values = this.weights.map(({ key }) =>
        tensorOf(tensors[`ema/${key}`] ? `ema/${key}` : `model/${key}`),
      );
      this.average.restore(values, averaged);
      tf.dispose(values);
    }
    this.done = step;
  }

  /** Frees the optimiser and the average; the model stays. */
  dispose(): void {
    this.optimizer.dispose();
    this.average?.dispose();
  }
}

/** The mean of several losses, part by part; they are disposed of. */
function meanLosses(all: readonly Losses[]): Losses {
  const mean = (scalars: tf.Scalar[]) => tf.tidy(() => tf.mean(tf.stack(scalars)) as tf.Scalar);
  const total = mean(all.map((losses) => losses.total));
  const losses = mapValues(all[0]!.losses, (_, name) => mean(all.map((one) => one.losses[name]!)));
  for (const one of all) tf.dispose([one.total, one.losses]);
  return { total, losses };
}

function mapValues<T, U>(object: Record<string, T>, fn: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, fn(value, key)]));
}

/** What {@link Trainer.save} gives. */
export interface TrainerState {
  /** Steps done. */
  step: number;
  /** Updates of the average of the weights. */
  averaged: number;
  tensors: Record<string, { shape: readonly number[]; data: Float32Array }>;
}

/** The error of a loss that is not finite. `step` counts from 1. */
export function divergedLoss(step: number, loss: number, lr: number): DivergedError {
  return new DivergedError({
    what: `training diverged: the loss of step ${step} is ${loss}`,
    received: `learning rate ${lr.toExponential(2)}`,
    fix: 'lower train.optimizer.lr, lengthen train.schedule.warmupSteps, or set train.clipNorm to 1; the last checkpoint is untouched',
  });
}

/** The error of a model that became unusable. `step` counts from 1. */
export function divergedModel(step: number, what: string): DivergedError {
  return new DivergedError({
    what: `training diverged: after step ${step}, ${what}`,
    fix: 'lower train.optimizer.lr, lengthen train.schedule.warmupSteps, or set train.clipNorm to 1; the last checkpoint is untouched',
  });
}
