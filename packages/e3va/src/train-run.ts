import { existsSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { writeFileAtomic } from '@e3va/adapter-core';
import type { MaskFolder, SegmentationSplit } from '@e3va/datasets';
import type { SegmentationScores } from '@e3va/metrics';
import type * as tf from '@tensorflow/tfjs-core';
import { stack, tidy } from '@tensorflow/tfjs-core';
import { useBackend } from './backend.ts';
import { openData, TrainBatches } from './data.ts';
import { CheckpointError, DivergedError } from './errors.ts';
import { evaluate } from './evaluate.ts';
import { formatSeconds, type Progress, silentProgress } from './progress.ts';
import { formatRecipe } from './recipe/load.ts';
import type { Recipe } from './recipe/schema.ts';
import { reportPictures, tensorboardPicture } from './report/pictures.ts';
import { renderReport } from './report/report.ts';
import { type CheckpointInfo, checkFits, readCheckpoint, saveCheckpoint } from './run/checkpoint.ts';
import { applyCheckpoint } from './run/load-run.ts';
import type { EvalEntry, TrainEntry } from './run/log.ts';
import { RunFolder } from './run/run-folder.ts';
import { Segmenter } from './segmenter.ts';
import { TensorBoardWriter } from './tensorboard/writer.ts';
import { divergedLoss, divergedModel, Trainer } from './trainer.ts';

/** What {@link trainRun} may be told besides the recipe. */
export interface TrainRunOptions {
  /** Folder of an earlier run to go on with; the recipe should be the one of that run. */
  resume?: string;
  /** When it aborts, the step under way is finished, the run is saved, and training ends. */
  signal?: AbortSignal;
  /** Shows how far the run is. Default: nothing. */
  progress?: Progress;
  /** Whether to score the fresh model before the first step. */
  evaluateFirst?: boolean;
  /** Called for every step and every evaluation, in order. */
  onEntry?: (entry: TrainEntry | EvalEntry) => void;
}

/** How a run ended. */
export interface TrainRunResult {
  /** Folder of the run. */
  dir: string;
  /** Path of the report. */
  report: string;
  /** Steps done in all. */
  steps: number;
  /** All steps were made, the score rose no more, or the signal aborted. */
  ended: 'done' | 'early-stop' | 'interrupted';
  /** The best score on the validation images and its step; null without an evaluation. */
  best: { mIoU: number; step: number } | null;
  /** Scores of the first evaluation, of the fresh model with `evaluateFirst`; undefined without an evaluation. */
  first: EvalEntry | undefined;
  /** Scores of the last evaluation. */
  last: EvalEntry | undefined;
  /** Trained parameters of the adapter and of the heads, and all parameters of the backbone with its adapter. */
  parameters: { adapter: number; heads: number; backbone: number };
  /** Largest resident memory of the process so far, in bytes. */
  peakRss: number;
}

/**
 * Trains a recipe from data folder to report: evaluation on the way, checkpoints, log, TensorBoard events, early stopping.
 *
 * A run that is resumed comes to the same weights, bit for bit, as one that was never stopped: its random numbers depend on
 * the seed and the step alone, and everything else that changes is in the checkpoint.
 *
 * @throws DivergedError if loss or weights become NaN or infinite: the checkpoints on the disk stay as they were.
 *
 * @example
 * ```ts
 * import { loadRecipe, trainRun } from 'e3va';
 *
 * const recipe = loadRecipe('upernet-nano', { data: 'my-photos', steps: '2', 'train.crop': '[64, 64]' });
 * const { best, report } = await trainRun(recipe);
 * console.log(best?.mIoU, report);
 * ```
 */
export async function trainRun(recipe: Recipe, options: TrainRunOptions = {}): Promise<TrainRunResult> {
  const run = await Run.start(recipe, options);
  try {
    return await run.train();
  } finally {
    await run.close();
  }
}

/** One training run: a {@link Trainer} with its data and its folder. */
class Run {
  private readonly progress: Progress;
  private readonly board: TensorBoardWriter;
  private readonly began = Date.now();
  private best: CheckpointInfo['best'] = null;
  private sinceBest = 0;
  private first: EvalEntry | undefined;
  private last: EvalEntry | undefined;
  private savedStep = -1;
  private pending: tf.Scalar[] = [];
  private chunkBegan = performance.now();
  private speed = 0;

  private constructor(
    private readonly recipe: Recipe,
    private readonly options: TrainRunOptions,
    private readonly data: MaskFolder,
    private readonly folder: RunFolder,
    private readonly segmenter: Segmenter,
    private readonly trainer: Trainer,
    private readonly val: SegmentationSplit | undefined,
    private readonly backend: string,
  ) {
    this.progress = options.progress ?? silentProgress;
    this.board = new TensorBoardWriter(folder.dir);
  }

  static async start(given: Recipe, options: TrainRunOptions): Promise<Run> {
    const backend = await useBackend(given.backend);
    const data = await openData(given);
    const recipe = withAbsolutePaths(given);
    const earlier = options.resume === undefined ? undefined : RunFolder.open(options.resume);
    const checkpoint = earlier && readCheckpoint(earlier.checkpointPath('last'));
    if (checkpoint) checkClasses(checkpoint.info, data);
    const segmenter = await Segmenter.create(recipe, data);
    const trainer = new Trainer(segmenter, recipe.train);
    if (checkpoint) {
      const shapes = segmenter.state().map(({ key, variable }) => ({ key, shape: variable.shape }));
      checkFits(checkpoint, segmenter.backboneId, shapes);
      await trainer.restore({ ...checkpoint.info, tensors: checkpoint.tensors });
    }
    const folder = earlier ?? RunFolder.create(recipe);
    const val = data.splits.includes('val') ? data.split('val') : undefined;
    const run = new Run(recipe, options, data, folder, segmenter, trainer, val, backend.name);
    if (checkpoint) await run.takeUp(checkpoint.info);
    return run;
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

  async train(): Promise<TrainRunResult> {
    const { steps, evalEvery, logEvery, accumulate } = this.recipe.train;
    const { trainer, options } = this;
    this.announce();
    if (options.evaluateFirst && trainer.steps === 0) await this.evaluate();
    this.progress.start(steps, trainer.steps);
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
    this.progress.stop();
    await this.writeReport();
    return this.result(ended);
  }

  private announce(): void {
    for (const note of this.data.notes) this.progress.line(note);
    const { adapter, heads, backbone } = this.parameters();
    const percent = ((100 * adapter) / backbone).toFixed(2);
    const train = this.data.split('train').length;
    this.progress.line(
      `${train} training and ${this.val?.length ?? 0} validation images, ${this.data.classes.length} classes; ` +
        `backend ${this.backend}; trains ${adapter.toLocaleString('en-US')} parameters of the backbone (${percent} %) ` +
        `and ${heads.toLocaleString('en-US')} of the head; run ${this.folder.dir}`,
    );
  }

  /** Reads the losses of the last steps back, checks them and logs them. */
  private async flush(): Promise<void> {
    const { pending, trainer } = this;
    if (pending.length === 0) return;
    this.pending = [];
    const all = tidy(() => stack(pending));
    const losses = (await all.data()) as Float32Array;
    for (const tensor of [all, ...pending]) tensor.dispose();
    const ms = (performance.now() - this.chunkBegan) / losses.length;
    const { batch, accumulate } = this.recipe.train;
    this.speed = (1000 * batch * accumulate) / ms;
    const rss = process.memoryUsage.rss();
    const firstStep = trainer.steps - losses.length + 1;
    const entries = Array.from(losses, (loss, i): TrainEntry => {
      const step = firstStep + i;
      return {
        type: 'train',
        step,
        loss,
        lr: trainer.learningRate(step - 1),
        ms,
        imagesPerSecond: this.speed,
        rss,
      };
    });
    const bad = entries.find(({ loss }) => !Number.isFinite(loss));
    if (bad) throw divergedLoss(bad.step, bad.loss, bad.lr);
    this.folder.append(entries);
    for (const { step, loss, lr } of entries)
      this.board.scalars(step, { 'train/loss': loss, 'train/lr': lr });
    this.board.scalars(trainer.steps, {
      'train/images_per_second': this.speed,
      'train/rss_megabytes': rss / 2 ** 20,
    });
    const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    this.progress.update({ step: trainer.steps, loss: mean, imagesPerSecond: this.speed, rss });
    for (const entry of entries) this.options.onEntry?.(entry);
    this.chunkBegan = performance.now();
  }

  /** Scores the model on the validation images, and keeps it if it is the best so far. */
  private async evaluate(): Promise<void> {
    const { val, trainer } = this;
    if (!val) return;
    const step = trainer.steps;
    const scores = await trainer.withAverage(() => this.score(val));
    const better = scores.mIoU > (this.best?.mIoU ?? Number.NEGATIVE_INFINITY);
    const entry = evalEntry(step, scores, better && step > 0);
    if (step > 0) {
      if (better) this.best = { mIoU: scores.mIoU, step };
      this.sinceBest = better ? 0 : this.sinceBest + 1;
      if (better) await this.save('best');
    }
    this.first ??= entry;
    this.last = entry;
    this.folder.append([entry]);
    const { mIoU, aAcc, mAcc } = scores;
    this.board.scalars(step, { 'val/mIoU': mIoU, 'val/aAcc': aAcc, 'val/mAcc': mAcc });
    const mark = entry.best ? ', the best so far' : '';
    this.progress.line(
      `step ${step}: mIoU ${(100 * mIoU).toFixed(2)} %, pixels ${(100 * aAcc).toFixed(2)} %${mark}`,
    );
    this.options.onEntry?.(entry);
    this.chunkBegan = performance.now();
  }

  private async score(val: SegmentationSplit): Promise<SegmentationScores> {
    const { segmenter, trainer, board } = this;
    try {
      const scores = await evaluate(segmenter, val, this.data);
      if (val.length > 0)
        board.image(trainer.steps, 'val/prediction', await tensorboardPicture(segmenter, val));
      return scores;
    } catch (error) {
      if (error instanceof DivergedError) throw divergedModel(trainer.steps, 'the logits are not finite');
      throw error;
    }
  }

  private async save(which: 'best' | 'last' = 'last'): Promise<void> {
    const { trainer } = this;
    if (which === 'last' && this.savedStep === trainer.steps) return;
    const { tensors, step, averaged } = await trainer.save();
    const info: CheckpointInfo = {
      format: 1,
      step,
      averaged,
      seed: this.recipe.train.seed,
      best: this.best,
      sinceBest: this.sinceBest,
      classes: [...this.data.classes],
      ignoreIndex: this.data.ignoreIndex,
      backbone: this.segmenter.backboneId,
      recipe: this.recipe,
    };
    await saveCheckpoint(this.folder.checkpointPath(which), { info, tensors });
    if (which === 'last') this.savedStep = step;
  }

  private async writeReport(): Promise<void> {
    const { folder, segmenter, val, trainer } = this;
    const shown = this.best && this.best.step !== trainer.steps ? 'best' : 'last';
    applyCheckpoint(segmenter, readCheckpoint(folder.checkpointPath(shown)));
    const pictures = val ? await reportPictures(segmenter, val) : [];
    const html = renderReport({
      title: basename(folder.dir),
      facts: this.facts(),
      recipe: formatRecipe(this.recipe),
      classes: this.data.classes,
      log: folder.log(),
      pictures,
    });
    await writeFileAtomic(folder.reportPath, html);
  }

  private facts(): [string, string][] {
    const { method, backbone, head, train } = this.recipe;
    const { adapter, heads, backbone: all } = this.parameters();
    const thousands = (n: number) => n.toLocaleString('en-US');
    const best = this.best && `${(100 * this.best.mIoU).toFixed(2)} % at step ${this.best.step}`;
    return [
      ['Model', `${backbone.name}, ${method.name}, ${head.name} ${head.channels}`],
      ['Best mIoU', best ?? 'not measured'],
      ['Steps', `${this.trainer.steps} of ${train.steps}, batch ${train.batch * train.accumulate}`],
      [
        'Trained in the backbone',
        `${thousands(adapter)} of ${thousands(all)} (${((100 * adapter) / all).toFixed(2)} %)`,
      ],
      ['Trained in the head', thousands(heads)],
      ['Speed', `${this.speed.toFixed(2)} images/s`],
      ['Peak memory', `${Math.round(peakRss() / 2 ** 20)} MB resident`],
      ['Backend', this.backend],
      ['Time', formatSeconds((Date.now() - this.began) / 1000)],
      ['Date', new Date().toISOString().slice(0, 16).replace('T', ' ')],
    ];
  }

  private parameters(): TrainRunResult['parameters'] {
    const { trainable, total } = this.segmenter.adapted.parameters;
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

  async close(): Promise<void> {
    this.progress.stop();
    for (const tensor of this.pending) tensor.dispose();
    this.trainer.dispose();
    this.segmenter.dispose();
  }
}

/** The recipe with paths that hold from every folder: the run keeps it. */
function withAbsolutePaths(recipe: Recipe): Recipe {
  const { data, backbone } = recipe;
  return {
    ...recipe,
    data: data.dir === undefined ? data : { ...data, dir: resolve(data.dir) },
    backbone: existsSync(backbone.name) ? { ...backbone, name: resolve(backbone.name) } : backbone,
  };
}

function evalEntry(
  step: number,
  { mIoU, aAcc, mAcc, perClass }: SegmentationScores,
  best: boolean,
): EvalEntry {
  return { type: 'eval', step, mIoU, aAcc, mAcc, best, iou: perClass.iou, acc: perClass.acc };
}

function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024;
}

function checkClasses(info: CheckpointInfo, data: MaskFolder): void {
  if (info.classes.join('\n') === data.classes.join('\n')) return;
  throw new CheckpointError({
    what: 'the data have other classes than the run',
    expected: info.classes.join(', '),
    received: data.classes.join(', '),
    fix: 'resume with the data folder of the run, or start a new run',
  });
}
