export type { HeadOptions } from './blocks.ts';
export { type CrossEntropyOptions, softmaxCrossEntropy } from './cross-entropy.ts';
export { HeadWeightsError, LabelRangeError, SegmentationOptionsError } from './errors.ts';
export { type FcnHeadOptions, fcnHead } from './fcn-head.ts';
export type { HeadPart } from './head-names.ts';
export { type LoadHeadOptions, loadHeadWeights } from './head-weights.ts';
export {
  argmaxLabels,
  type Predict,
  type SlideOptions,
  slideInference,
  wholeInference,
} from './inference.ts';
export { labelsAt } from './labels-at.ts';
export type { Level } from './level.ts';
export {
  type SegmentationLogits,
  type SegmentationLossOptions,
  segmentationLoss,
} from './segmentation-loss.ts';
export { type UperNetOptions, uperNet } from './uper-net.ts';
export { type UperNetStructure, uperNetOptionsOf } from './uper-net-structure.ts';
