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
export { rescaleDetections } from './rescale.ts';
export { type RetinaNetOptions, retinaNet } from './retinanet.ts';
export { type BoxHeadOptions, boxHead } from './roi/box-head.ts';
export { type CascadeRcnnOptions, cascadeRcnn } from './roi/cascade-rcnn.ts';
export { fasterRcnn, type MaskRcnnOptions, maskRcnn } from './roi/faster-rcnn.ts';
export { assignLevels } from './roi/levels.ts';
export { type MaskHeadOptions, maskHead } from './roi/mask-head.ts';
export { type MaskTargetOptions, maskTargets } from './roi/mask-targets.ts';
export { type PasteOptions, pasteMasks } from './roi/paste-masks.ts';
export type { BinOptions } from './roi/pooling.ts';
export type { RcnnOptions } from './roi/presets.ts';
export { type PyramidRcnnOptions, pyramidRcnn, type RcnnRpnOptions } from './roi/rcnn.ts';
export {
  type PyramidRoiAlignOptions,
  pyramidRoiAlign,
  type RoiAlignOptions,
  roiAlign,
} from './roi/roi-align.ts';
export { RoiHeads } from './roi/roi-heads.ts';
export type { RoiHeadsOptions, RoiStage } from './roi/roi-options.ts';
export type { Rois } from './roi/rois.ts';
export { UpConv, type UpConvArgs } from './roi/up-conv.ts';
export { type Rpn, type RpnOptions, rpn } from './rpn.ts';
export { addObjects, type SampleOptions, type Samples, sampleMatches } from './samplers.ts';
export { type CocoSsdDetection, toCocoSsd } from './to-coco-ssd.ts';
export { type DetectorCheckpoint, detectorOptionsOf } from './weights/detector-options.ts';
export type { DetectorKind } from './weights/kind.ts';
export {
  type DetectorOverrides,
  type LoadDetectorOptions,
  type LoadedDetector,
  loadDetector,
} from './weights/load-detector.ts';
export { type LoadDetectorWeightsOptions, loadDetectorWeights } from './weights/load-detector-weights.ts';
export type { DetectorNaming } from './weights/naming.ts';
