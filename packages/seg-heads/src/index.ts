export type { HeadOptions } from './blocks.ts';
export { type CrossEntropyOptions, softmaxCrossEntropy } from './cross-entropy.ts';
export { HeadWeightsError, LabelRangeError, SegmentationOptionsError } from './errors.ts';
export { type FcnHeadOptions, fcnHead } from './fcn-head.ts';
export { loadHeadWeights, type WeightTensor } from './head-weights.ts';
export {
  argmaxLabels,
  type Predict,
  type SlideOptions,
  slideInference,
  wholeInference,
} from './inference.ts';
export { AdaptiveAveragePool, type AdaptiveAveragePoolArgs } from './layers/adaptive-average-pool.ts';
export { AddResized } from './layers/add-resized.ts';
export { BatchNorm, type BatchNormArgs } from './layers/batch-norm.ts';
export { ChannelDropout, type ChannelDropoutArgs } from './layers/channel-dropout.ts';
export { Conv, type ConvArgs } from './layers/conv.ts';
export type { Level } from './level.ts';
export {
  type SegmentationLogits,
  type SegmentationLossOptions,
  segmentationLoss,
} from './segmentation-loss.ts';
export { type UperNetOptions, uperNet } from './uper-net.ts';
