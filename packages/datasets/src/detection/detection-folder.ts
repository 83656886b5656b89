import type { CocoDataset } from '@e3va/metrics';
import type { SplitName } from '../layouts.ts';
import type { DataProblem } from './problems.ts';
import type { DetectionSplit } from './sample.ts';

/** The forms of annotations that are read. */
export type DetectionFormat = 'coco' | 'voc' | 'yolo' | 'labelme';

/** A detection data set in a folder. {@link openDetectionFolder} makes it. */
export interface DetectionFolder {
  /** The folder. */
  readonly directory: string;
  /** The form of its annotations. */
  readonly format: DetectionFormat;
  /** Name of each class, by label. */
  readonly classes: readonly string[];
  /** `category_id` of each label: as in the COCO files, else from 1. */
  readonly categoryIds: readonly number[];
  /** The splits there are. */
  readonly splits: readonly SplitName[];
  /** What was decided without being asked, in one sentence each, for the log. */
  readonly notes: readonly string[];
  /** Everything in the annotations that was repaired or left out. */
  readonly problems: readonly DataProblem[];
  /**
   * One split.
   *
   * @throws UnknownSplitError if there is none of that name.
   */
  split(name: SplitName): DetectionSplit;
  /**
   * The ground truth of a split for `cocoEvaluate` of `@e3va/metrics`.
   *
   * @throws UnknownSplitError if there is none of that name.
   */
  toCoco(name: SplitName): CocoDataset;
}
