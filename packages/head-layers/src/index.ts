export { AdaptiveAveragePool, type AdaptiveAveragePoolArgs } from './adaptive-average-pool.ts';
export { AddNearest } from './add-nearest.ts';
export { AddResized } from './add-resized.ts';
export { BatchNorm, type BatchNormArgs } from './batch-norm.ts';
export { ChannelDropout, type ChannelDropoutArgs } from './channel-dropout.ts';
export { Conv, type ConvArgs } from './conv.ts';
export { relu } from './relu.ts';
export { Subsample } from './subsample.ts';
