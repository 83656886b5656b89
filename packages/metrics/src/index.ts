export { formatClassTable } from './class-table.ts';
export { ConfusionMatrix } from './confusion-matrix.ts';
export {
  ClassCountError,
  ClassIndexError,
  LengthMismatchError,
  MetricsError,
  type MetricsErrorParts,
} from './errors.ts';
export { type ClassScores, type SegmentationScores, scoresOf } from './scores.ts';
