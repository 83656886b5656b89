import type { TaskScores } from '../task.ts';

/** One line of `log.jsonl`: a training step. */
export interface TrainEntry {
  type: 'train';
  /** Steps done, this one included. */
  step: number;
  loss: number;
  /** The parts of the loss, for tasks whose loss has several. */
  losses?: Record<string, number>;
  /** Learning rate of the head. */
  lr: number;
  /** Milliseconds of the step, its data included. */
  ms: number;
  imagesPerSecond: number;
  /** Resident memory of the process, in bytes. */
  rss: number;
}

/** One line of `log.jsonl`: an evaluation on the validation split. */
export interface EvalEntry extends TaskScores {
  type: 'eval';
  step: number;
  /** Whether it is the best so far. */
  best: boolean;
}

/** A line of `log.jsonl`. */
export type LogEntry = TrainEntry | EvalEntry;

/** The best score of a run. */
export interface BestScore {
  /** Which figure: `mIoU`, `AP` … */
  metric: string;
  score: number;
  step: number;
}
