export {
  type AnchorOptions,
  type AnchorRegion,
  anchorsInside,
  type Grid,
  octaveSizes,
  pyramidAnchors,
} from './anchors.ts';
export type { Level } from './batch.ts';
export { type BoxCoding, decodeBoxes, decodeBoxTensors, encodeBoxes } from './box-coding.ts';
export {
  type BoxFormat,
  boxAreas,
  boxOverlaps,
  clipBoxes,
  convertBoxes,
  generalisedIou,
  largeBoxes,
  type OverlapKind,
  takeBoxes,
} from './boxes.ts';
export type { BoxLossOptions } from './dense/losses.ts';
export type { DenseOutputs } from './dense/outputs.ts';
export type { SelectOptions } from './dense/select.ts';
export type {
  Detection,
  DetectionLosses,
  DetectionLossOptions,
  DetectionTargets,
  Detector,
  ImageSize,
  InstanceMasks,
} from './detection.ts';
export { DetectionInputError, DetectionOptionsError } from './errors.ts';
export { type FpnOptions, fpn } from './fpn.ts';
export {
  type GiouOptions,
  giouLoss,
  type SmoothL1Options,
  smoothL1Loss,
} from './losses/box-losses.ts';
export { sigmoidLoss, softmaxLoss } from './losses/cross-entropy.ts';
export { type FocalOptions, focalLoss } from './losses/focal.ts';
export {
  type BoxMatchOptions,
  MATCH,
  type MatchOptions,
  matchBoxes,
  matchOverlaps,
} from './matching.ts';
export { batchedNms, nms, type SoftNmsOptions, softNms } from './nms.ts';
export type { ProposalOptions, Proposals } from './proposals.ts';
export { type PyramidRetinaNetOptions, pyramidRetinaNet } from './pyramid-retinanet.ts';
export { type RetinaNetOptions, retinaNet } from './retinanet.ts';
export {
  type PyramidRoiAlignOptions,
  pyramidRoiAlign,
  type RoiAlignOptions,
  roiAlign,
} from './roi/roi-align.ts';
export type { Rois } from './roi/rois.ts';
export { type Rpn, type RpnOptions, rpn } from './rpn.ts';
export { addObjects, type SampleOptions, type Samples, sampleMatches } from './samplers.ts';
