export { DetectionConfusion } from './boxes/detection-confusion.ts';
export type { FoundBox, TrueBox } from './boxes/objects.ts';
export { type VocClassScores, type VocOptions, type VocScores, vocEvaluate } from './boxes/voc.ts';
export { formatClassTable } from './class-table.ts';
export { formatCocoTable } from './coco/coco-table.ts';
export type { CocoCurveShape, CocoCurves } from './coco/curves.ts';
export type {
  CocoAnnotation,
  CocoCategory,
  CocoDataset,
  CocoDetection,
  CocoImage,
} from './coco/dataset.ts';
export { cocoEvaluate } from './coco/evaluate.ts';
export type { CocoFigures } from './coco/figures.ts';
export type { CocoIouType, CocoParams } from './coco/options.ts';
export type { CocoClassScores, CocoScores } from './coco/scores.ts';
export { ConfusionMatrix } from './confusion-matrix.ts';
export {
  ClassCountError,
  ClassIndexError,
  DetectionError,
  EvaluationOptionError,
  GroundTruthError,
  LengthMismatchError,
  MetricsError,
  type MetricsErrorParts,
  PolygonError,
  RleError,
} from './errors.ts';
export { boxToRle, polygonsToRle } from './mask/polygon.ts';
export {
  compressRle,
  decodeRle,
  encodeRle,
  mergeRles,
  type Rle,
  rleArea,
  rleBox,
  rleIou,
  type UncompressedRle,
} from './mask/rle.ts';
export { type ClassScores, type SegmentationScores, scoresOf } from './scores.ts';
