/** One line of `log.jsonl`: a training step. */
export interface TrainEntry {
  type: 'train';
  /** Steps done, this one included. */
  step: number;
  loss: number;
  /** Learning rate of the head. */
  lr: number;
  /** Milliseconds of the step, its data included. */
  ms: number;
  imagesPerSecond: number;
  /** Resident memory of the process, in bytes. */
  rss: number;
}

/** One line of `log.jsonl`: an evaluation on the validation split. Scores are in 0..1. */
export interface EvalEntry {
  type: 'eval';
  step: number;
  mIoU: number;
  aAcc: number;
  mAcc: number;
  /** Whether it is the best so far. */
  best: boolean;
  /** IoU of each class; null for a class that does not occur. */
  iou: (number | null)[];
  /** Accuracy of each class; null for a class that does not occur in the labels. */
  acc: (number | null)[];
}

/** A line of `log.jsonl`. */
export type LogEntry = TrainEntry | EvalEntry;
