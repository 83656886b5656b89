export { WindowAttention, type WindowAttentionConfig, windowAttention } from './attention.ts';
export type { SwinConfig } from './config.ts';
export { Linear, type LinearConfig, linear } from './dense.ts';
export { DropPath, type DropPathConfig, dropPath } from './drop-path.ts';
export { SwinConfigError, SwinWeightsError } from './errors.ts';
export type { LayerConfig } from './layer.ts';
export { LayerNorm, type LayerNormConfig } from './layer-norm.ts';
export { gatherPatches, PatchGather, type PatchGatherConfig } from './patch.ts';
export { type SwinPreset, type SwinPresetName, swinPresets } from './presets.ts';
export { relativePositionBias } from './relative-bias.ts';
export { imagenetMean, imagenetStd, swin } from './swin.ts';
export {
  CosineWindowAttention,
  type CosineWindowAttentionConfig,
  cosineAttention,
} from './v2/attention.ts';
export type { SwinV2Config } from './v2/config.ts';
export { continuousPositionBias, type PositionNetwork } from './v2/position-bias.ts';
export { type SwinV2Preset, type SwinV2PresetName, swinV2Presets } from './v2/presets.ts';
export { swinV2 } from './v2/swin-v2.ts';
export { loadSwinV2Weights } from './v2/weights/assign.ts';
export { swinV2ConfigOf } from './v2/weights/config-of.ts';
export { type LoadSwinV2Options, loadSwinV2, type SwinV2Files } from './v2/weights/load.ts';
export { swinV2Targets } from './v2/weights/targets.ts';
export { loadSwinWeights } from './weights/assign.ts';
export { swinConfigOf } from './weights/config-of.ts';
export { huggingFaceLayer, type MappedLayer } from './weights/hugging-face.ts';
export {
  type LoadSwinClassifierOptions,
  type LoadSwinOptions,
  loadSwin,
  loadSwinClassifier,
} from './weights/load.ts';
export {
  type WindowConfig,
  WindowPartition,
  WindowReverse,
  windowPartition,
  windowReverse,
} from './window.ts';
