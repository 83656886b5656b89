import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { writeFileAtomic } from '@e3va/adapter-core';
import * as tf from '@tensorflow/tfjs-core';
import { useBackend } from '../backend.ts';
import { openData, TrainBatches } from '../data.ts';
import { CheckpointError, DivergedError } from '../errors.ts';
import { formatRecipe } from '../recipe/load.ts';
import type { Recipe } from '../recipe/schema.ts';
import { encodedPicture } from '../report/pictures.ts';
import { renderReport } from '../report/report.ts';
import type { Losses, Task, TaskData, TaskModel, TaskScores } from '../task.ts';
import { taskOf } from '../tasks.ts';
import type { TrainRunOptions, TrainRunResult } from '../train-run.ts';
import { divergedLoss, divergedModel, Trainer } from '../trainer.ts';
import {
  type Checkpoint,
  type CheckpointInfo,
  checkFits,
  readCheckpoint,
  saveCheckpoint,
} from './checkpoint.ts';
import { peakRss, runFacts, trainedShare } from './facts.ts';
import { RunJournal } from './journal.ts';
import { applyCheckpoint } from './load-run.ts';
import type { BestScore, EvalEntry, TrainEntry } from './log.ts';
import { RunFolder } from './run-folder.ts';

/** One training run: a {@link Trainer} with its data and its folder. */
export class Training {
  private readonly journal: RunJournal;
  private readonly began = Date.now();
  private readonly task: Task;
  private best: BestScore | null = null;
  private sinceBest = 0;
  private first: EvalEntry | undefined;
  private last: EvalEntry | undefined;
  private savedStep = -1;
  private readonly val: { length: number } | undefined;
  private pending: Losses[] = [];
  private chunkBegan = performance.now();
  private speed = 0;

  private constructor(
    private readonly recipe: Recipe,
    private readonly options: TrainRunOptions,
    private readonly data: TaskData,
    private readonly folder: RunFolder,
    private readonly model: TaskModel,
    private readonly trainer: Trainer,
    private readonly backend: string,
  ) {
    this.task = taskOf(recipe);
    const val = data.splits.includes('val') ? data.split('val') : undefined;
    this.val = val && val.length > 0 ? val : undefined;
    this.journal = new RunJournal(folder, options.progress, options.onEntry);
  }

  /** Opens data, model and folder, and the last checkpoint where a run is resumed. */
  static async start(given: Recipe, options: TrainRunOptions): Promise<Training> {
    const backend = await useBackend(given.backend);
    const data = await openData(given);
    const recipe = withAbsolutePaths(given);
    const earlier = options.resume === undefined ? undefined : RunFolder.open(options.resume);
    const checkpoint = earlier && readCheckpoint(earlier.checkpointPath('last'));
    if (checkpoint) checkClasses(checkpoint.info, data);
    const model = await taskOf(recipe).createModel(recipe, data);
    const trainer = new Trainer(model, recipe.train);
    try {
      if (checkpoint) await restore(trainer, checkpoint);
      const folder = earlier ?? RunFolder.create(recipe);
      const run = new Training(recipe, options, data, folder, model, trainer, backend.name);
      if (checkpoint) await run.takeUp(checkpoint.info);
      return run;
    } catch (error) {
      trainer.dispose();
      model.dispose();
      throw error;
    }
  }

  private async takeUp(info: CheckpointInfo): Promise<void> {
    this.best = info.best;
    this.sinceBest = info.sinceBest;
    this.savedStep = info.step;
    await this.folder.rewindLog(info.step);
    await writeFileAtomic(this.folder.recipePath, formatRecipe(this.recipe));
    const evals = this.folder.log().filter((entry) => entry.type === 'eval');
    [this.first, this.last] = [evals[0], evals.at(-1)];
  }

  /** Trains to the end, an early stop or an interruption, and writes the report. */
  async train(): Promise<TrainRunResult> {
    const { steps, evalEvery, logEvery, accumulate } = this.recipe.train;
    const { trainer, options } = this;
    this.announce();
    if (options.evaluateFirst && trainer.steps === 0) await this.evaluate();
    this.journal.progress.start(steps, trainer.steps);
    const batches = await TrainBatches.open(this.data, this.recipe, trainer.steps * accumulate);
    let ended: TrainRunResult['ended'] = 'done';
    this.chunkBegan = performance.now();
    while (trainer.steps < steps) {
      await batches.use(accumulate, (given) => this.pending.push(trainer.step(given)));
      const due = trainer.steps % evalEvery === 0 || trainer.steps === steps;
      const stopping = options.signal?.aborted ?? false;
      if (this.pending.length >= logEvery || due || stopping) await this.flush();
      if (due) await this.evaluate();
      if (due) await this.save();
      const { earlyStopping } = this.recipe.train;
      if (earlyStopping && this.sinceBest >= earlyStopping.patience) ended = 'early-stop';
      else if (options.signal?.aborted && trainer.steps < steps) ended = 'interrupted';
      if (ended !== 'done') break;
      await setImmediate(); // lets signals and decoded images in
    }
    await this.flush();
    await this.save();
    this.journal.progress.stop();
    await this.writeReport();
    return this.result(ended);
  }

  private announce(): void {
    const { data, model, val, folder, backend, journal } = this;
    const parameters = this.parameters();
    for (const note of [...data.notes, ...model.notes]) journal.progress.line(note);
    journal.progress.line(
      `${data.split('train').length} training and ${val?.length ?? 0} validation images, ${data.classes.length} classes; ` +
        `backend ${backend}; trains ${trainedShare(parameters)} parameters of the backbone ` +
        `and ${parameters.heads.toLocaleString('en-US')} of the head; run ${folder.dir}`,
    );
  }

  /** Reads the losses of the last steps back, checks them and logs them. */
  private async flush(): Promise<void> {
    const { pending, trainer } = this;
    if (pending.length === 0) return;
    this.pending = [];
    const values = await readLosses(pending);
    const ms = (performance.now() - this.chunkBegan) / values.length;
    const { batch, accumulate } = this.recipe.train;
    this.speed = (1000 * batch * accumulate) / ms;
    const rss = process.memoryUsage.rss();
    const firstStep = trainer.steps - values.length + 1;
    const entries = values.map((loss, i): TrainEntry => {
      const step = firstStep + i;
      return {
        type: 'train',
        step,
        ...loss,
        lr: trainer.learningRate(step - 1),
        ms,
        imagesPerSecond: this.speed,
        rss,
      };
    });
    const bad = entries.find(({ loss }) => !Number.isFinite(loss));
    if (bad) throw divergedLoss(bad.step, bad.loss, bad.lr);
    this.journal.steps(entries);
    this.chunkBegan = performance.now();
  }

  /** Scores the model on the validation images, and keeps it if it is the best so far. */
  private async evaluate(): Promise<void> {
    const { val, trainer } = this;
    if (!val) return;
    const step = trainer.steps;
    const result = await trainer.withAverage(() => this.score());
    const { metric, scores } = result;
    const score = scores[metric]!;
    const better = score > (this.best?.score ?? Number.NEGATIVE_INFINITY);
    const entry: EvalEntry = { type: 'eval', step, best: better && step > 0, ...result };
    if (step > 0) {
      if (better) this.best = { metric, score, step };
      this.sinceBest = better ? 0 : this.sinceBest + 1;
      if (better) await this.save('best');
    }
    this.first ??= entry;
    this.last = entry;
    this.journal.evaluation(entry);
    this.chunkBegan = performance.now();
  }

  private async score(): Promise<TaskScores> {
    const { task, model, data, trainer, journal } = this;
    try {
      const scores = await task.evaluate(model, data, 'val');
      journal.picture(trainer.steps, await encodedPicture(await task.picture(model, data, 'val')));
      return scores;
    } catch (error) {
      if (error instanceof DivergedError) throw divergedModel(trainer.steps, 'its outputs are not finite');
      throw error;
    }
  }

  private async save(which: 'best' | 'last' = 'last'): Promise<void> {
    const { trainer } = this;
    if (which === 'last' && this.savedStep === trainer.steps) return;
    const { tensors, step, averaged } = await trainer.save();
    const info: CheckpointInfo = {
      format: 2,
      step,
      averaged,
      seed: this.recipe.train.seed,
      best: this.best,
      sinceBest: this.sinceBest,
      classes: [...this.data.classes],
      ...(this.data.ignoreIndex !== undefined && { ignoreIndex: this.data.ignoreIndex }),
      ...(this.data.categoryIds && { categoryIds: [...this.data.categoryIds] }),
      backbone: this.model.backboneId,
      recipe: this.recipe,
    };
    await saveCheckpoint(this.folder.checkpointPath(which), { info, tensors });
    if (which === 'last') this.savedStep = step;
  }

  private async writeReport(): Promise<void> {
    const { task, data, folder, model, val, trainer } = this;
    const shown = this.best && this.best.step !== trainer.steps ? 'best' : 'last';
    applyCheckpoint(model, readCheckpoint(folder.checkpointPath(shown)));
    const sections = val ? await task.reportSections(model, data, 'val') : [];
    const html = renderReport({
      title: basename(folder.dir),
      facts: this.facts(),
      recipe: formatRecipe(this.recipe),
      classes: data.classes,
      log: folder.log(),
      sections,
    });
    await writeFileAtomic(folder.reportPath, html);
  }

  private facts(): [string, string][] {
    const { recipe, backend, best, trainer, speed, began } = this;
    const [steps, milliseconds] = [trainer.steps, Date.now() - began];
    return runFacts({
      recipe,
      parameters: this.parameters(),
      backend,
      steps,
      best,
      imagesPerSecond: speed,
      milliseconds,
    });
  }

  private parameters(): TrainRunResult['parameters'] {
    const { trainable, total } = this.model.adapted.parameters;
    return { adapter: trainable, heads: this.trainer.parameters - trainable, backbone: total };
  }

  private result(ended: TrainRunResult['ended']): TrainRunResult {
    const { folder, trainer, best, first, last } = this;
    const { dir, reportPath: report } = folder;
    return {
      dir,
      report,
      steps: trainer.steps,
      ended,
      best,
      first,
      last,
      parameters: this.parameters(),
      peakRss: peakRss(),
    };
  }

  /** Frees the model and the optimiser. */
  close(): void {
    this.journal.progress.stop();
    for (const losses of this.pending) tf.dispose([losses.total, losses.losses]);
    this.trainer.dispose();
    this.model.dispose();
  }
}

/** The recipe with paths that hold from every folder: the run keeps it. */
function withAbsolutePaths(recipe: Recipe): Recipe {
  const { data, backbone } = recipe;
  return {
    ...recipe,
    data: data.dir === undefined ? data : { ...data, dir: resolve(data.dir) },
    backbone: existsSync(backbone.name) ? { ...backbone, name: resolve(backbone.name) } : backbone,
  } as Recipe;
}

/** Reads the losses of some steps back at once, and disposes of them. */
async function readLosses(steps: readonly Losses[]): Promise<Pick<TrainEntry, 'loss' | 'losses'>[]> {
  const names = Object.keys(steps[0]!.losses);
  const all = tf.tidy(() =>
    tf.stack(steps.flatMap(({ total, losses }) => [total, ...names.map((name) => losses[name]!)])),
  );
  const values = await all.data();
  tf.dispose([all, ...steps.flatMap(({ total, losses }) => [total, ...Object.values(losses)])]);
  return steps.map((_, i) => {
    const [loss, ...parts] = values.slice(i * (1 + names.length), (i + 1) * (1 + names.length));
    const losses = Object.fromEntries(names.map((name, n) => [name, parts[n]!]));
    return { loss: loss!, ...(names.length > 0 && { losses }) };
  });
}

async function restore(trainer: Trainer, { info, tensors }: Checkpoint): Promise<void> {
  checkFits({ info, tensors }, trainer.model);
  await trainer.restore({ ...info, tensors });
}

function checkClasses(info: CheckpointInfo, data: TaskData): void {
  if (info.classes.join('\n') === data.classes.join('\n')) return;
  throw new CheckpointError({
    what: 'the data have other classes than the run',
    expected: info.classes.join(', '),
    received: data.classes.join(', '),
    fix: 'resume with the data folder of the run, or start a new run',
  });
}
