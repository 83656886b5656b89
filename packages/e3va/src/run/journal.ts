import { type Progress, silentProgress } from '../progress.ts';
import { type EncodedImage, TensorBoardWriter } from '../tensorboard/writer.ts';
import type { EvalEntry, LogEntry, TrainEntry } from './log.ts';
import type { RunFolder } from './run-folder.ts';

/** Tells what happens in a run, everywhere at once: log, TensorBoard events, progress, and the listener. */
export class RunJournal {
  private readonly board: TensorBoardWriter;

  constructor(
    private readonly folder: RunFolder,
    /** Shows how far the run is. */
    readonly progress: Progress = silentProgress,
    private readonly onEntry: (entry: LogEntry) => void = () => {},
  ) {
    this.board = new TensorBoardWriter(folder.dir);
  }

  /** Some steps, in order; at least one. */
  steps(entries: readonly TrainEntry[]): void {
    const { step, imagesPerSecond, rss } = entries.at(-1)!;
    this.folder.append(entries);
    for (const { step, loss, losses, lr } of entries) {
      this.board.scalars(step, { 'train/loss': loss, ...named('train/', losses), 'train/lr': lr });
    }
    this.board.scalars(step, {
      'train/images_per_second': imagesPerSecond,
      'train/rss_megabytes': rss / 2 ** 20,
    });
    const loss = entries.reduce((sum, entry) => sum + entry.loss, 0) / entries.length;
    this.progress.update({ step, loss, imagesPerSecond, rss });
    entries.forEach(this.onEntry);
  }

  /** An evaluation. */
  evaluation(entry: EvalEntry): void {
    const { step, scores, best } = entry;
    this.folder.append([entry]);
    this.board.scalars(step, named('val/', scores));
    const shown = Object.entries(scores).slice(0, 3);
    const text = shown.map(([name, value]) => `${name} ${(100 * value).toFixed(2)} %`).join(', ');
    this.progress.line(`step ${step}: ${text}${best ? ', the best so far' : ''}`);
    this.onEntry(entry);
  }

  /** A prediction on a validation image. */
  picture(step: number, image: EncodedImage): void {
    this.board.image(step, 'val/prediction', image);
  }
}

/** The values with a prefix before each name. */
function named(prefix: string, values: Readonly<Record<string, number>> = {}): Record<string, number> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}
